export { Random } from "../../../scripts/soak/random.ts";

/** The seed of this run: `SLIPWAY_SEED` repeats another's. */
export function chooseSeed(): number {
  const given = process.env["SLIPWAY_SEED"];
  return given === undefined ? (Date.now() ^ (process.pid << 16)) >>> 0 : Number(given);
}
