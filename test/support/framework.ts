/**
 * The test of a web framework from npm: an app in test/frameworks/apps answers under Deno, under `slipway run` and
 * compiled; Deno's answers are what is expected.
 */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "./binary.ts";
import { denoProgram, noDeno } from "./deno.ts";
import { fromSource, repository, run, temporaryFolder } from "./process.ts";
import { type Answers, answersOf, type Question, sameAnswers } from "./questions.ts";
import { skip } from "./skip.ts";

/** A form with a field and a file. */
export const multipart = {
  headers: { "content-type": "multipart/form-data; boundary=cut" },
  body: [
    "--cut",
    'Content-Disposition: form-data; name="name"',
    "",
    "Ada",
    "--cut",
    'Content-Disposition: form-data; name="file"; filename="a.txt"',
    "Content-Type: text/plain",
    "",
    "some text",
    "--cut--",
    "",
  ].join("\r\n"),
} as const;

/** Runs the app three ways. */
export function framework(name: string, file: string, questions: readonly Question[]): void {
  const app = join(repository, "test/frameworks/apps", file);
  const test = suite(`${name}, unchanged`);
  if (denoProgram === undefined) {
    skip(test, `${name} answers as under Deno`, noDeno);
  } else {
    const address = ["--host", "127.0.0.1", "--port", "0"];
    const env = { NO_COLOR: "1" };
    const expected = answersOf([denoProgram, "serve", "-A", ...address, app], questions, { env });
    expected.catch(() => {});
    const check = async (given: Answers) => {
      assert.is(given.code, 0, given.stderr);
      sameAnswers(questions, given, await expected);
    };
    test("under slipway run", async () => {
      await check(await answersOf([...fromSource, "run", app, ...address], questions, { env }));
    });
    test("compiled", async () => {
      const compiled = join(temporaryFolder(), "app");
      const files = join(repository, "test/frameworks/apps/public");
      const made = await run([await slipwayBinary(), "compile", app, "-o", compiled, "--include", files]);
      assert.is(made.code, 0, made.stderr);
      await check(await answersOf([compiled, ...address], questions, { env }));
    });
  }
  test.run();
}
