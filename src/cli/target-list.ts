/** `slipway compile --target list`: the systems that this slipway compiles for, what is missing, and how to get it. */
import { hostTarget, TARGETS } from "../bundle/targets.ts";
import { howToGetPack, openPack, packPath } from "./bases.ts";
import { version } from "./version.ts";

/** Prints a line for each target, or all as JSON. */
export function listTargets(json = false): void {
  const host = hostTarget();
  const pack = openPack();
  try {
    const rows = TARGETS.map((target) => {
      const place = target === host ? "own" : pack?.has(target.name) === true ? "pack" : "missing";
      const megabytes = place === "pack" ? pack?.sizes(target.name) : undefined;
      return { target: target.name, place, ...megabytes };
    });
    if (json) {
      process.stdout.write(`${JSON.stringify({ targets: rows, pack: packPath(), slipway: version }, undefined, 2)}\n`);
      return;
    }
    const text = rows.map(({ target, place, packed = 0 }) => {
      const words = {
        own: "in this slipway",
        pack: `in the pack, ${(packed / 1e6).toFixed(1)} MB`,
        missing: "missing",
      };
      return `${target.padEnd(13)} ${words[place as keyof typeof words]}\n`;
    });
    process.stdout.write(text.join(""));
    const some = rows.some(({ place }) => place === "missing");
    process.stdout.write(`${pack === undefined ? "There is no" : "The pack is"} ${packPath()}\n`);
    if (some) process.stdout.write(`For what is missing: ${howToGetPack()}\n`);
  } finally {
    pack?.close();
  }
}
