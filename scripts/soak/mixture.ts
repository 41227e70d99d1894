/**
 * The soak proper: a calm phase, then rounds of everything at once with a silence behind each, through which a few
 * ordinary clients go on. What the calm phase had is what must be left; and over the silences memory must not climb.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { besideKinds } from "./beside.ts";
import { kinds, pause } from "./clients.ts";
import { Deaths } from "./deaths.ts";
import { fileBytes } from "./handler-file.ts";
import { HeldUp } from "./held-up.ts";
import { type Failure, Ordinary } from "./ordinary.ts";
import { freePort } from "./port.ts";
import { Random } from "./random.ts";
import { mib, type Report, short } from "./report.ts";
import { Server, type State } from "./server.ts";
import { slope } from "./statistics.ts";
import { Outcomes, Storm } from "./storm.ts";

/** Limits low enough to bite within the shortest run. */
const LIMITS =
  "--read-header-timeout 2s --read-timeout 3s --write-timeout 3s --idle-timeout 4s --min-rate 16KiB --drain-timeout 10s".split(
    " ",
  );
/** `ulimit -n` of the server: the storm goes beyond it now and then. */
const DESCRIPTORS = 600;
/** Ordinary clients, a request every 10 ms each. */
const ORDINARY = 8;
/** A round of the storm, where there is time for several. */
const ROUND_MS = 45_000;
/** After the last client has left, the slowest limit and the linger need this long, and then some. */
const QUIET_MS = 20_000;
/**
 * What a thread may hold beyond the calm phase, in MiB; 8 of it are io_uring's buffers, which are as many as a storm
 * needed, for good (ffi/uring-buffers.ts).
 */
const HELD_MIB = 16;
/** By how much a thread may hold more at the end of the second half than at its beginning: a young one holds less. */
const CLIMB_MIB = 4;
/** What a thread may have in memory beyond the calm phase, when malloc keeps nothing free: what it holds, and pages in part. */
const RESIDENT_MIB = 32;
/**
 * And what each that died leaves: koffi's record of it, 28 KiB in memory of 3 MiB of addresses, whatever it did (measured
 * over 400 threads that made one call each; without koffi nothing is left).
 */
const DEATH_MIB = 0.1;
/** By how much that may climb which malloc keeps free: each thread has an arena, whose parts are of 64 MiB; two of them. */
const FREE_MIB = 128;

/** Of a worker's heap: enough for the storm, and soon full when it is to be. */
const HEAP_MIB = 192;
/** Tasks that a thread has all the time: none of those that a program starts by itself has a name there. */
const STANDING_TASKS = 0;

export interface Ground {
  /** Worker threads, some of which die now and then; 0 for none. */
  readonly parallel: number;
  readonly poller: string | undefined;
}

export async function soak(seconds: number, seed: number, report: Report, ground: Ground): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-soak-file-"));
  try {
    await run(seconds, seed, report, ground, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(seconds: number, seed: number, report: Report, ground: Ground, folder: string): Promise<void> {
  const calmMs = Math.min(30_000, Math.max(3000, seconds * 150));
  const stormMs = Math.max(3000, seconds * 1000 - calmMs);
  const { parallel, poller } = ground;
  const threads = Math.max(1, parallel);
  const [door, raw] = [await freePort(), await freePort()];
  // A short run is one of many things on its machine: it has the routes only.
  const wide = seconds >= 60 || parallel > 0;
  // Not by the server: a worker that takes the place of another would empty it under those who send it.
  const file = join(folder, "file");
  if (wide) writeFileSync(file, fileBytes());
  const ways: Record<string, string> = !wide ? {} : { SOAK_DOOR: String(door), SOAK_RAW: String(raw), SOAK_FILE: file };
  const server = await Server.start({
    flags: LIMITS,
    descriptors: DESCRIPTORS * threads,
    parallel,
    env: poller === undefined ? ways : { ...ways, SLIPWAY_POLLER: poller },
    ...(parallel > 0 ? { heap: HEAP_MIB } : {}),
  });
  const deaths = new Deaths();
  using heldUp = new HeldUp();
  const everybody = [...kinds, ...(wide ? besideKinds : []), ...(parallel > 0 ? [deaths.kind()] : [])];
  try {
    // The listeners, our own connections, and whatever the process was born with.
    const { sockets, all } = await server.bareDescriptors();
    const ordinary = new Ordinary(server.port, ORDINARY, 10);
    // The first requests are compiled on the way.
    await pause(Math.min(2000, calmMs / 2));
    ordinary.phase("calm");
    await pause(calmMs);
    ordinary.phase("");
    const before = await server.settled();
    const needed = await server.needed();
    const rings = server.ringMappings();
    console.log(`calm: ${short(mib(server.rss()))} MiB resident, ${all} descriptors without clients`);

    const outcomes = new Outcomes();
    const random = new Random(seed);
    const admin: string[] = [];
    const silences: number[] = [];
    const resident: number[] = [];
    const rounds = Math.max(2, Math.round(stormMs / ROUND_MS));
    for (let round = 1; round <= rounds; round++) {
      const storm = new Storm({ port: server.port, door, raw }, random, everybody, outcomes, heldUp, deaths);
      ordinary.phase("storm");
      await watch(server, stormMs / rounds, `round ${round}`, admin, heldUp);
      ordinary.phase("");
      await storm.stop();
      const { state } = await settle(server, before, sockets, ORDINARY);
      silences.push(mib(held(state)));
      resident.push(mib(server.rss()));
      console.log(`  silence ${round}: ${short(mib(held(state)))} MiB held, ${short(mib(server.rss()))} MiB resident`);
    }
    const { phases, wrong } = await ordinary.finish();
    outcomes.print();

    const quiet = await settle(server, before, sockets, 0);
    const lost = failuresOf(wrong, deaths);
    report.atMost("mappings of rings left over", server.ringMappings() - rings, 0);
    report.atMost("sockets left over", quiet.sockets - sockets, 0);
    report.atMost("other descriptors left over", quiet.all - quiet.sockets - (all - sockets), 0);
    check(report, before, quiet.state, silences, resident, threads);
    const tasks = await server.tasks();
    const most = RESIDENT_MIB * threads + DEATH_MIB * deaths.size;
    report.atMost("resident memory beyond the calm phase", mib((await server.needed()) - needed), most, " MiB");
    // Our own connections may count as one each.
    report.atMost("tasks left over", tasks - threads - STANDING_TASKS * threads, 0);
    for (const line of admin.slice(0, 5)) console.log(`  admin: ${line}`);
    report.atMost("times that the admin port did not answer", admin.length, 0);
    report.check("alive", String(server.alive), "true", server.alive);
    const failures = [...outcomes.wrong, ...lost];
    for (const line of failures.slice(0, 20)) console.log(`  wrong: ${line}`);
    report.atMost("answers that were wrong or did not come", failures.length, 0);
    const [calm, stormy] = ["calm", "storm"].map((name) => phases.find((phase) => phase.name === name));
    const answered = (calm?.requests ?? 0) + (stormy?.requests ?? 0);
    report.check("answers to ordinary clients", answered, "> 1000", answered > 1000);
    // Beside 100 attackers on the same cores; the ratio that matters is measured by --p99. A short run is for machines
    // that do other things as well: what is worse there than the limits above is no load of others any more.
    const bound = seconds < 60 ? 10_000 : parallel > 0 ? 1000 : Math.max(200, 50 * (calm?.p99 ?? 0));
    report.atMost(`their p99, ${short(calm?.p99 ?? Number.NaN)} ms when calm`, stormy?.p99 ?? Number.NaN, bound, " ms");

    server.closeControl();
    server.signal("SIGTERM");
    const code = await server.ended(15_000);
    report.check("exit code after SIGTERM", String(code), "0", code === 0);
    const strange = server.log
      .split("\n")
      .filter((line) => /internal error|at .*\.ts:\d+|SIGSEGV|panic|corrupt|FATAL/i.test(line))
      // How long a turn took is judged by the clients' p99; where a machine that stands still was, is told with its line.
      .filter((line) => !/thread( \d+)? (was|has been) blocked/.test(line))
      // What a worker dies of is told with its line.
      .filter((line) => !line.includes("soak/handler"));
    for (const line of strange.slice(0, 10)) console.log(`  log: ${line}`);
    report.atMost("internal errors in the log", strange.length, 0);
  } finally {
    await server.kill();
  }
}

/** Shows what the server is at, every five seconds. */
async function watch(server: Server, ms: number, name: string, admin: string[], heldUp: HeldUp): Promise<void> {
  const began = performance.now();
  for (let next = 2000; next < ms; next += 5000) {
    await pause(began + next - performance.now());
    const { sockets } = server.descriptors();
    const asked = performance.now();
    const tasks = await server.tasks().catch((error: Error) => {
      if (!heldUp.since(asked)) admin.push(`${name}: ${error.message}`);
      return "?";
    });
    const second = Math.round((performance.now() - began) / 1000);
    console.log(`  ${name}, ${second} s: ${sockets} sockets, ${tasks} tasks, ${short(mib(server.rss()))} MiB resident`);
  }
  await pause(began + ms - performance.now());
}

const held = (state: State): number => state.heap + state.external;

/** What no death of a worker explains. */
function failuresOf(wrong: readonly Failure[], deaths: Deaths): string[] {
  return wrong
    .filter(({ ended, worker, began, at }) => !ended || !deaths.explains(worker, began, at))
    .map(({ text }) => text);
}

/** Waits until nothing is at work any more, for a bounded time; what is left then. */
async function settle(
  server: Server,
  before: State,
  bare: number,
  others: number,
): Promise<{ state: State; sockets: number; all: number }> {
  const began = performance.now();
  for (;;) {
    const state = await server.settled();
    const { sockets, all } = server.descriptors();
    const done = state.running <= others && sockets <= bare + others && state.timers <= before.timers;
    if (done || performance.now() - began > QUIET_MS) return { state, sockets, all };
  }
}

function check(
  report: Report,
  calm: State,
  quiet: State,
  silences: readonly number[],
  resident: readonly number[],
  threads: number,
): void {
  report.atMost("handlers left over", quiet.running, 0);
  report.atMost("host timers left over", quiet.timers - calm.timers, 0);
  const more = mib(held(quiet) - held(calm));
  report.atMost("memory held at the end, beyond the calm phase", more, HELD_MIB * threads, " MiB");
  // Code is compiled and tables grow in the first half.
  const climb = (values: readonly number[]): number => {
    const half = values
      .slice(values.length < 4 ? 0 : Math.floor(values.length / 2))
      .map((value, i) => [i, value] as const);
    return slope(half) * (half.length - 1);
  };
  report.atMost("its climb over the silences of the second half", climb(silences), CLIMB_MIB * threads, " MiB");
  report.atMost("climb of the resident memory over them", climb(resident), FREE_MIB * threads, " MiB");
}
