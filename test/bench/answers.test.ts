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
names.push("chunked", "events", "download", "download-blob", "download-stream", "upload", "upload-whole", "parallel");

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
      const chunks: Buffer[] = [];
      await answer(subjects[0].server?.port ?? 0, asked, (chunk) => chunks.push(chunk));
      const ours = Buffer.concat(chunks);
      assert.ok(ours.length >= 2, ours.toString());
      // As it comes: half a gigabyte of answers at once would be most of what this test costs.
      const compared = subjects.slice(1).map(async ({ server, peer }) => {
        let at = 0;
        await answer(server?.port ?? 0, asked, (chunk) => {
          const same = ours.subarray(at, at + chunk.length);
          assert.ok(chunk.equals(same), `at ${at} ${peer} says ${start(chunk)}, ${subjects[0].peer} ${start(same)}`);
          at += chunk.length;
        });
        assert.is(at, ours.length, `${peer}'s has another length than ${subjects[0].peer}'s`);
      });
      await Promise.all(compared);
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

/** Asks, and passes on the body piece by piece; what `each` throws is the end of it. */
function answer(port: number, asked: NonNullable<Question["asked"]>, each: (chunk: Buffer) => void): Promise<void> {
  const [first, ...lines] = asked.request.trimEnd().split("\r\n");
  const [method, path] = first.split(" ");
  const headers = Object.fromEntries(lines.map((line) => line.split(": ") as [string, string]));
  return new Promise((resolve, reject) => {
    const outgoing = send({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      response.on("data", (chunk: Buffer) => {
        try {
          each(chunk);
        } catch (error) {
          reject(error);
          response.destroy();
        }
      });
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
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
