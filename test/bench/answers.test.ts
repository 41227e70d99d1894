// Every peer's program for a question answers the same: figures of different work
// cannot be compared. Questions whose handlers are another's are left to that one.
import { mkdtempSync, rmSync } from "node:fs";
import { request as send } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { choosePeers, usualPeers } from "../../scripts/bench/peers.ts";
import type { Question, Settings, Subject } from "../../scripts/bench/question.ts";
import { loadQuestions } from "../../scripts/bench/questions.ts";
import { startSubject } from "../../scripts/bench/rounds.ts";

const test = suite("bench: one answer a question");
const directory = mkdtempSync(join(tmpdir(), "slipway-bench-answers-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));
const settings: Settings = { seconds: 1, serverCore: null, loadCore: null, quick: true };

const names = ["plaintext", "json", "bytes", "stream", "echo", "connect", "timers", "files", "fetch", "static"];
names.push("chunked", "events", "download", "download-blob", "download-stream", "upload", "parallel");

for (const question of await loadQuestions(names)) {
  test(question.name, async () => {
    const { asked } = question;
    if (!asked) throw new Error(`${question.name} asks nothing`);
    const putAway = await question.prepare?.(directory, settings);
    const starts = await Promise.allSettled(choosePeers(usualPeers).map((peer) => started(question, peer)));
    const subjects = starts.flatMap((start) => (start.status === "fulfilled" ? start.value : []));
    try {
      for (const start of starts) if (start.status === "rejected") throw start.reason;
      assert.ok(subjects.length >= 2, "ours and node at least");
      const answers = await Promise.all(subjects.map(({ server }) => answer(server?.port ?? 0, asked)));
      const [ours] = answers;
      assert.ok(ours.length >= 2, ours.toString());
      for (const [i, { peer }] of subjects.entries()) {
        assert.ok(answers[i].equals(ours), `${peer} says ${start(answers[i])}, ${subjects[0].peer} ${start(ours)}`);
      }
    } finally {
      await Promise.all(subjects.map(({ server }) => server?.stop()));
      await putAway?.();
    }
  });
}

/** The peer's server, or none where this machine lacks it. */
async function started(question: Question, peer: ReturnType<typeof choosePeers>[number]): Promise<Subject[]> {
  const launched = peer.launch(question.handlers, join(directory, question.name, peer.name));
  if ("missing" in launched) return [];
  try {
    return [await startSubject(question, peer.name, launched.command, settings)];
  } catch (error) {
    if (peer.optional) return [];
    throw error;
  }
}

function answer(port: number, asked: NonNullable<Question["asked"]>): Promise<Buffer> {
  const [first, ...lines] = asked.request.trimEnd().split("\r\n");
  const [method, path] = first.split(" ");
  const headers = Object.fromEntries(lines.map((line) => line.split(": ") as [string, string]));
  return new Promise((resolve, reject) => {
    const outgoing = send({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`port ${port} answered ${response.statusCode}`));
      });
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(Buffer.alloc(asked.body, "a"));
  });
}

function start(bytes: Buffer): string {
  return `${bytes.length} bytes beginning with ${JSON.stringify(bytes.toString("latin1", 0, 40))}`;
}

test.run();
