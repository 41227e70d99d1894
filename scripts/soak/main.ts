// npm run soak: hours of the open internet in ten minutes, on this machine.
//
//   npm run soak                        the mixture, 10 minutes
//   npm run soak -- --seconds 60        shorter
//   npm run soak -- --p99               4,000 half-open and dripping connections: what do other clients notice?
//   npm run soak -- --resets 10000      connections reset at random moments: what is left of them?
//   npm run soak -- --emfile            2,000 clients of a server with `ulimit -n 256`
//   npm run soak -- --drains 50         SIGTERM under full load, again and again: is anything lost?
//   --seed N                            repeats the choices of a run (its timing is the kernel's)
//
// The table says what was asserted; the exit code is 0 if all of it holds.
import { parseArgs } from "node:util";
import { Report } from "./report.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    p99: { type: "boolean" },
    resets: { type: "string" },
    emfile: { type: "boolean" },
    drains: { type: "string" },
  },
});

function count(name: "seconds" | "seed" | "resets" | "drains", otherwise: number): number {
  const value = Number(values[name] ?? otherwise);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`--${name} takes a whole number, not ${values[name]}`);
  process.exit(2);
}

const report = new Report();
const seed = count("seed", Date.now() % 1_000_000);
console.log(`seed ${seed} (--seed ${seed} repeats its choices)`);
if (values.p99) await (await import("./p99.ts")).p99(count("seconds", 60), report);
else if (values.resets !== undefined) await (await import("./resets.ts")).resets(count("resets", 10_000), seed, report);
else if (values.emfile) await (await import("./emfile.ts")).emfile(report);
else if (values.drains !== undefined) await (await import("./drains.ts")).drains(count("drains", 50), seed, report);
else await (await import("./mixture.ts")).soak(count("seconds", 600), seed, report);
report.print();
process.exit(report.failed === 0 ? 0 : 1);
