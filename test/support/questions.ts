/**
 * A list of requests and a server's answers to them, to be held against another server's answers to the same list.
 * The client is node:http, which we did not write and which shows headers as they came.
 */
import { createHash } from "node:crypto";
import { request } from "node:http";
import { gunzipSync } from "node:zlib";
import * as assert from "uvu/assert";
import { type RunOptions, start } from "./process.ts";

export interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** What differs from run to run, and how connection and body are framed, which each server decides for itself. */
const varying = ["date", "connection", "keep-alive", "content-length", "transfer-encoding"];

/** The server's answer as far as it is the program's: reason phrases, which mean nothing (RFC 9112, 4), are not. */
export async function ask(port: number, { method = "GET", path, headers = {}, body }: Question): Promise<object> {
  const { promise, resolve, reject } = Promise.withResolvers<object>();
  const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, async (response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const sent = Buffer.concat(chunks);
      // Two compressors may differ.
      const bytes = response.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
      const rest = { ...response.headers };
      for (const name of varying) delete rest[name];
      const portable = (text: string) => text.replace(/127\.0\.0\.1:\d+/g, "HOST");
      for (const [name, value] of Object.entries(rest)) if (typeof value === "string") rest[name] = portable(value);
      const text =
        bytes.length > 2000 ? createHash("sha256").update(bytes).digest("hex") : portable(bytes.toString("latin1"));
      resolve({ status: response.statusCode, headers: rest, body: text });
    } catch (error) {
      reject(error);
    }
  });
  sent.on("error", (error) => reject(new Error(`${method} ${path}: ${error.message}`)));
  sent.setTimeout(20_000, () => sent.destroy(new Error("no answer in 20 s")));
  sent.end(body);
  return promise;
}

export interface Answers {
  readonly answers: readonly object[];
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Starts a server, asks one question after the other, and ends it. `ready` finds the port in what it prints. */
export async function answersOf(
  command: readonly string[],
  questions: readonly Question[],
  options: RunOptions & { readonly ready?: RegExp } = {},
): Promise<Answers> {
  const started = start(command, options);
  const match = await started.saw(options.ready ?? /Listening on http:\/\/[^:]+:(\d+)/);
  const answers: object[] = [];
  for (const question of questions) answers.push(await ask(Number(match[1]), question));
  const { code, stdout, stderr } = await started.stop();
  return { answers, code, stdout, stderr };
}

/** Question by question, so that a difference is shown with what was asked. */
export function sameAnswers(questions: readonly Question[], given: Answers, expected: Answers): void {
  for (const [index, { method = "GET", path }] of questions.entries()) {
    assert.equal(given.answers[index], expected.answers[index], `question ${index}, ${method} ${path}`);
  }
}
