// All questions: one file each in questions/, found by its name. The order here is
// that of the tables; what is not named here comes last.
import { readdirSync } from "node:fs";
import type { Question } from "./question.ts";

const folder = new URL("questions/", import.meta.url);
const order = [
  "plaintext",
  "json",
  "async",
  "bytes",
  "stream",
  "echo",
  "connect",
  "pipelined",
  "single",
  "thousand",
  "crowd",
  "timers",
  "files",
  "fetch",
  "static",
  "chunked",
  "events",
  "download",
  "download-blob",
  "download-stream",
  "download-file",
  "upload",
  "upload-whole",
  "tls",
  "http2",
  "handshake",
  "handshake-rsa",
  "resumed",
  "resumed-rsa",
  "websocket",
  "parallel",
  "parallel-plaintext",
  "start",
  "idle",
];

export const questionNames: readonly string[] = readdirSync(folder)
  .map((file) => file.replace(/\.ts$/, ""))
  .sort((a, b) => place(a) - place(b) || a.localeCompare(b));

export function place(name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

/** The questions by name; `all` is all of them. */
export async function loadQuestions(names: readonly string[]): Promise<Question[]> {
  const wanted = names.includes("all") ? questionNames : names;
  const unknown = wanted.find((name) => !questionNames.includes(name));
  if (unknown) throw new Error(`no question is called ${unknown}; there are ${questionNames.join(", ")}`);
  return Promise.all(wanted.map(async (name) => (await import(new URL(`${name}.ts`, folder).href)).default));
}
