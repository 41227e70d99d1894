// npm run soak: hours of the open internet in ten minutes, on this machine.
//
//   npm run soak                        the mixture, 10 minutes
//   npm run soak -- --seconds 60        shorter
//   npm run soak -- --p99               4,000 half-open and dripping connections: what do other clients notice?
//   npm run soak -- --p99 --http2       each attack by HTTP/2: what do other clients notice, what does it take of memory?
//   npm run soak -- --resets 10000      connections reset at random moments: what is left of them?
//   npm run soak -- --emfile            2,000 clients of a server with `ulimit -n 256`
//   npm run soak -- --drains 50         SIGTERM under full load, again and again: is anything lost?
//   npm run soak -- --exits 50          as many starts and exits of every kind, under traffic
//   --parallel N                        with worker threads, of which one dies every few seconds
//   --poller uring|epoll                on this one, else on the best that works here
//   --seed N                            repeats the choices of a run (its timing is the kernel's)
//
// The table says what was asserted; the exit code is 0 if all of it holds.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Report } from "./report.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    p99: { type: "boolean" },
    http2: { type: "boolean" },
    resets: { type: "string" },
    emfile: { type: "boolean" },
    drains: { type: "string" },
    exits: { type: "string" },
    parallel: { type: "string" },
    poller: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});

function count(name: "seconds" | "seed" | "resets" | "drains" | "exits" | "parallel", otherwise: number): number {
  const value = Number(values[name] ?? otherwise);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`--${name} takes a whole number, not ${values[name]}`);
  process.exit(2);
}

if (values.help) {
  // The lines above.
  for (const line of readFileSync(import.meta.filename, "utf8").split("\n")) {
    if (!line.startsWith("//")) break;
    console.log(line.slice(3));
  }
  process.exit();
}
const report = new Report();
const seed = count("seed", Date.now() % 1_000_000);
const ground = { parallel: count("parallel", 0), poller: values.poller };
console.log(`seed ${seed} (--seed ${seed} repeats its choices)`);
if (values.p99 && values.http2) await (await import("./http2-p99.ts")).http2P99(count("seconds", 120), report);
else if (values.p99) await (await import("./p99.ts")).p99(count("seconds", 60), report);
else if (values.resets !== undefined) await (await import("./resets.ts")).resets(count("resets", 10_000), seed, report);
else if (values.emfile) await (await import("./emfile.ts")).emfile(report);
else if (values.drains !== undefined) await (await import("./drains.ts")).drains(count("drains", 50), seed, report);
else if (values.exits !== undefined) await (await import("./exits.ts")).exits(count("exits", 50), seed, report);
else await (await import("./mixture.ts")).soak(count("seconds", 600), seed, report, ground);
report.print();
process.exit(report.failed === 0 ? 0 : 1);
