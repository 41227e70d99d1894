/**
 * As process 1: makes orphans and children of its own, and says how each of its own ended, and which zombies are left.
 * As any other process: the same with nobody who reaps.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { reapOrphans } from "../../../src/supervisor/init.ts";

const stop = reapOrphans({ graceMs: 300 });

/** Zombies by now. */
function zombies(): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
    } catch {
      return false;
    }
  });
}

const ends: (number | string | null)[] = [];
const own = (script: string) =>
  new Promise<void>((resolve) => {
    spawn("sh", ["-c", script]).on("exit", (code, signal) => {
      ends.push(code ?? signal);
      resolve();
    });
  });
// Each leaves an orphan, which ends a little later, and ends itself with a status that must not be taken from Node.
const children = Array.from({ length: 10 }, (_, i) => own(`sh -c 'sleep 0.${i}; exit 9' & exit ${i}`));
children.push(own("sleep 0.5; kill -9 $$"));
children.push(own("sleep 1.5; exit 42"));
const failed = new Promise((resolve) => spawn("/nowhere/to/be/found").on("error", resolve));
const worker = new Worker(
  `const { execFileSync, spawn } = require("node:child_process");
   execFileSync("true");
   spawn("sh", ["-c", "sleep 0.2; exit 5"]).on("exit", (code) => require("node:worker_threads").parentPort.postMessage(code));`,
  { eval: true },
);
const fromWorker = new Promise((resolve) => worker.on("message", resolve));
await Promise.all([...children, failed]);
const late = await fromWorker;

const until = performance.now() + 20_000;
while (zombies().length > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
ends.sort();
console.log(JSON.stringify({ pid: process.pid, ends, late, left: zombies().length }));
stop();
