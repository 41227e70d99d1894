/** The process that runs one file of tests: see protocol.ts. */
import { closeSync, readFileSync, writeSync } from "node:fs";
import { posix } from "node:path";
import { pathToFileURL } from "node:url";
import { loadBundle } from "../bundle/load.ts";
import { workerPrograms } from "../bundle/worker-programs.ts";
import { endsByHand, fireBeforeUnload, fireLoad, fireUnload, isHandled } from "../deno/global-events.ts";
import { workerHost } from "../deno/worker.ts";
import type { Level } from "../options/resolve.ts";
import type { BenchEvent } from "./bench/protocol.ts";
import { BenchFile } from "./bench/run.ts";
import { runNodeTests, usesNodeTest } from "./node-test.ts";
import { EVENTS_FD, JOB_FD, type Job, markerOf, type TestEvent } from "./protocol.ts";
import { TestFile } from "./run.ts";

export async function runTestChild(nonce: string): Promise<void> {
  const job = JSON.parse(readFileSync(JOB_FD, "utf8")) as Job;
  closeSync(JOB_FD);
  const tell = teller(nonce);
  const end = process.exit.bind(process);
  process.argv = [process.argv[0], job.entry, ...job.args];
  // The command line's own, which end the process, or take a test that waits for nothing for its own end.
  process.removeAllListeners("uncaughtException");
  process.removeAllListeners("beforeExit");
  const origin = pathToFileURL(job.entry).href;
  const file = new (job.kind === "test" ? TestFile : BenchFile)(origin, job.options, tell);
  const caught = (error: unknown, origin: string) => {
    if (!isHandled(error, origin)) file.uncaught(error);
  };
  process.on("uncaughtException", caught);
  await installGlobals(file, job);
  if (job.options.coverage) {
    const { countCoverage } = await import("./coverage/collect.ts");
    const count = countCoverage(posix.join(job.bundle.root, "(bundle)"));
    // However it ends, as long as it ends by itself.
    process.on("exit", () => tell({ type: "coverage", functions: count() }));
  }
  endsByHand();
  readSnapshots();
  const load = async () => {
    await loadBundle({ ...job.bundle, inputs: [], warnings: [], borrowed: [] });
    fireLoad();
  };
  try {
    if (file instanceof TestFile && usesNodeTest(job.bundle.code)) {
      await runNodeTests(job, tell, async () => {
        await load();
        if (file.registered > 0) await file.run();
        else tell({ type: "plan", filteredOut: 0, usedOnly: false });
        // Node says whose it is.
        process.off("uncaughtException", caught);
      });
    } else {
      await load();
      await file.run();
    }
  } catch (error) {
    file.uncaught(error);
  }
  // Helpers of tests write by then what they have gathered.
  fireBeforeUnload();
  fireUnload();
  process.on("exit", () => tell({ type: "end" }));
  end(0);
}

async function installGlobals(file: TestFile | BenchFile, { project }: Job): Promise<void> {
  const [{ install }, { installDeno }] = await Promise.all([import("../fetch/mod.ts"), import("../deno/mod.ts")]);
  install(() => import("../client/mod.ts"));
  installDeno();
  const flags: Level = { source: "flag", values: {}, from: {}, doubts: {} };
  // Those whose names no bundler could read: it is loaded for the first.
  workerPrograms.bundle = async (name) => {
    const [{ bundleWorker }, { askProject }] = await Promise.all([
      import("../bundle/mod.ts"),
      import("../bundle/project.ts"),
    ]);
    askProject(project);
    return bundleWorker(name);
  };
  workerHost.start = async (...args) =>
    (await import("../cli/web-worker/host.ts")).startThread(...args, { flags, program: "slipway" });
  // The other of the two registers nothing, as in Deno.
  const { Deno } = globalThis as unknown as { Deno: { test: object; bench: object } };
  if (file instanceof TestFile) Deno.test = file.denoTest();
  else Deno.bench = file.denoBench();
}

/** `@std/testing/snapshot` imports its files, which are modules whatever they are called. */
function readSnapshots(): void {
  process.getBuiltinModule("node:module").registerHooks({
    load(url, context, next) {
      if (!/^file:.*\.snap$/.test(url)) return next(url, context);
      return { format: "module", shortCircuit: true, source: readFileSync(new URL(url), "utf8") };
    },
  });
}

/** Tells events, in an order with what is written to both outputs. */
function teller(nonce: string): (event: TestEvent | BenchEvent) => void {
  let count = 0;
  return (event) => {
    const marker = markerOf(nonce, ++count);
    for (const fd of [1, 2]) {
      try {
        writeAll(fd, marker);
      } catch {
        // A test closed it: the parent sees its end.
      }
    }
    try {
      writeAll(EVENTS_FD, `${JSON.stringify(event)}\n`);
    } catch {
      // Nobody hears of anything any more: the parent is gone.
      process.kill(process.pid, "SIGKILL");
    }
  };
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      // Somebody made it non-blocking: process.stdout, where it is a pipe.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}
