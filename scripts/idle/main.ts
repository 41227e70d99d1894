// npm run idle: what a connection costs that does nothing, in user space and in the kernel, and whether it grows.
//
//   npm run idle                            HTTP, raw connections and half heads; some 15 seconds each
//   npm run idle -- raw readable --poller epoll
//   npm run idle -- http --hold 600         ten minutes idle: no memory, no wake-up, nobody lost
//
// The figure is a slope, from 2,000 to 15,000 connections, so that what the process costs anyhow is not in it. It is
// taken at rest, when V8 has collected and given back what it had for young objects. docs/performance.md says how to
// read it. The exit code is 1 if something grew or was lost.
import { parseArgs } from "node:util";
import { cpuSeconds, descriptorLimit, residentBytes, settled } from "../bench/cpu.ts";
import { Client } from "./client.ts";
import { type KernelCost, kernelCost, tcpSockets, timeslices } from "./kernel.ts";
import { type Kind, kinds, usual } from "./kinds.ts";
import { type Server, startServer } from "./server.ts";

const FEW = 2000;
const WATCH_SECONDS = 5;
const SETTLE_SECONDS = 45;
/** A collection of V8's that comes late may move resident memory; a leak goes on and on. */
const MAY_GROW = 512 * 1024;

const help = `npm run idle -- [kind…] [options]

  kinds: ${Object.entries(kinds)
    .map(([name, { title }]) => `${name.padEnd(9)} ${title}`)
    .join("\n         ")}
         (${usual.join(", ")} when none is named)

  --poller epoll|uring  the server's (SLIPWAY_POLLER)
  --to N                connections (15000, or what the descriptor limit leaves); the slope begins at ${FEW}
  --hold S              goes on for so long with all of them open, and sees to it that nothing grows
`;

interface Measured {
  readonly title: string;
  readonly poller: string;
  readonly heap: number;
  readonly atRest: number;
  /** Bytes, of all together. */
  readonly givenBack: number;
  readonly kernel: KernelCost | undefined;
  /** Times that any thread was put on a core in `WATCH_SECONDS`, and CPU milliseconds. */
  readonly slices: number;
  readonly cpuMs: number;
  readonly failed: readonly string[];
}

interface Sample {
  readonly atOnce: number;
  readonly heap: number;
  readonly atRest: number;
  readonly sockets: number | undefined;
}

interface Plan {
  readonly poller: string;
  readonly to: number;
  readonly hold: number;
}

const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1000));

async function measure(name: string, kind: Kind, plan: Plan): Promise<Measured> {
  const server = await startServer(name, plan.poller);
  const client = new Client(server.port);
  try {
    const at = async (count: number): Promise<Sample> => {
      await client.openTo(count, kind);
      await settled(server.pids);
      const atOnce = residentBytes(server.pids);
      const heap = await server.collect();
      await settled(server.pids);
      return { atOnce, heap, atRest: residentBytes(server.pids), sockets: tcpSockets() };
    };
    const few = await at(FEW);
    const many = await at(plan.to);
    const more = plan.to - FEW;
    const cpu = cpuSeconds(server.pids);
    const before = timeslices(server.pids);
    await seconds(WATCH_SECONDS);
    const slices = timeslices(server.pids) - before;
    const cpuMs = (cpuSeconds(server.pids) - cpu) * 1000;
    const ends = few.sockets && many.sockets && (many.sockets - few.sockets) / more;
    if (ends && Math.abs(ends - 2) > 0.2)
      console.log(`  noisy: the kernel has ${ends.toFixed(2)} sockets a connection`);
    const failed = plan.hold > 0 ? await hold(server, plan.hold) : [];
    const lost = client.closed();
    if (lost > 0) failed.push(`${lost} connections were closed`);
    return {
      title: kind.title,
      poller: plan.poller,
      heap: (many.heap - few.heap) / more,
      atRest: (many.atRest - few.atRest) / more,
      givenBack: many.atOnce - many.atRest,
      kernel: kernelCost(plan.poller === "uring"),
      slices,
      cpuMs,
      failed,
    };
  } finally {
    client.end();
    await server.stop();
  }
}

/**
 * Watches for so long; what went wrong. Before, what the last requests left is over: the deadline of their answers (30 s),
 * which the wheel passes on once, and V8's housekeeping.
 */
async function hold({ pids }: Server, forSeconds: number): Promise<string[]> {
  await seconds(Math.min(SETTLE_SECONDS, forSeconds));
  const every = Math.max(1, Math.min(10, forSeconds / 10));
  const first = residentBytes(pids);
  const cpu = cpuSeconds(pids);
  const slices = timeslices(pids);
  let most = first;
  const end = performance.now() + forSeconds * 1000;
  while (performance.now() < end) {
    await seconds(every);
    most = Math.max(most, residentBytes(pids));
  }
  const last = residentBytes(pids);
  const used = (cpuSeconds(pids) - cpu) * 1000;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  console.log(
    `  ${forSeconds} s with all of them open: resident ${mib(first)} at first, ${mib(most)} at most, ${mib(last)} in the end; ` +
      `${used.toFixed(2)} ms of CPU, ${timeslices(pids) - slices} wake-ups of any thread`,
  );
  return last - first > MAY_GROW ? [`resident memory grew by ${mib(last - first)} in ${forSeconds} s`] : [];
}

const bytes = (count: number): string => Math.round(count).toLocaleString("en");

function row({ title, poller, heap, atRest, givenBack, kernel, slices, cpuMs }: Measured): string {
  const [socket, entry] = kernel ? [bytes(kernel.socket), bytes(kernel.poller)] : ["?", "?"];
  const total = kernel ? bytes(atRest + kernel.socket + kernel.poller) : "?";
  const cells = [
    title,
    poller,
    bytes(atRest),
    bytes(heap),
    socket,
    entry,
    total,
    `${(givenBack / 2 ** 20).toFixed(1)} MiB`,
    `${slices}, ${cpuMs.toFixed(2)} ms`,
  ];
  return `| ${cells.join(" | ")} |`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      poller: { type: "string" },
      to: { type: "string" },
      hold: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const number = (name: "to" | "hold", otherwise: number, least: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < least) throw new Error(`--${name}: a whole number, at least ${least}`);
    return value;
  };
  const most = Math.min(15_000, descriptorLimit() - 500);
  const plan = { to: number("to", most, FEW + 100), hold: number("hold", 0, 0) };
  const asked = positionals.length > 0 ? positionals : usual;
  const unknown = asked.find((name) => kinds[name] === undefined);
  if (unknown !== undefined)
    throw new Error(`no kind is called ${unknown}; there are ${Object.keys(kinds).join(", ")}`);
  const measured: Measured[] = [];
  for (const poller of (values.poller ?? "epoll").split(",")) {
    for (const name of asked) {
      console.log(`${poller}, ${name}: to ${plan.to} connections`);
      measured.push(await measure(name, kinds[name], { ...plan, poller }));
    }
  }
  console.log(`
Bytes for each of ${FEW} to ${plan.to} connections, at rest: after a collection; CPU is that of ${WATCH_SECONDS} s with all open.

| connection | poller | user space | of it V8's heap | kernel: socket | kernel: poller | total | the collection gave back | wake-ups, CPU |
|---|---|---|---|---|---|---|---|---|
${measured.map(row).join("\n")}
`);
  const failed = measured.flatMap(({ title, poller, failed }) => failed.map((what) => `${poller}, ${title}: ${what}`));
  for (const line of failed) console.error(`FAILED ${line}`);
  return failed.length > 0 ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`idle: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  },
);
