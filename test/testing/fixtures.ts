/** Files of tests that end in every way, for `slipway test` and for `deno test`: both must say the same of them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What Deno and we agree on, file by file. */
export const agreed: Readonly<Record<string, string>> = {
  "forms_test.ts": `
    Deno.test("name and function", () => {});
    Deno.test(function named() {});
    Deno.test({ name: "options", fn() {} });
    Deno.test("name, options and function", { sanitizeExit: false }, () => {});
    Deno.test({ name: "options with a name, and function" }, () => {});
    Deno.test({}, function optionsAndFunction() {});
    Deno.test.ignore("ignored", () => { throw new Error("never run"); });
    Deno.test({ name: "ignored too", ignore: true, fn() { throw new Error("never run"); } });
    Deno.test.each([[1, 2, 3], [2, 2, 4]])("%d + %d is $2", (a, b, sum) => { if (a + b !== sum) throw new Error("no"); });
    Deno.test.each([{ a: 1 }])("an object with $a, %#", (value, t) => { if (value.a !== 1 || !t.name) throw new Error("no"); });
    Deno.test("unusual\\nname", () => {});
    Deno.test("throws what is no error", () => { throw "text"; });
    Deno.test("rejects with nothing", () => Promise.reject(undefined));
    Deno.test("has a cause", () => { throw new Error("outer", { cause: new TypeError("inner") }); });
    for (const [name, call] of Object.entries({
      "no name": () => Deno.test("", () => {}),
      "no function": () => Deno.test("x"),
      "no name of a function": () => Deno.test(() => {}),
      "two functions": () => Deno.test({ fn() {} }, () => {}),
      "a third argument": () => Deno.test(function x() {}, undefined, () => {}),
    })) {
      let message = "";
      try { call(); } catch (error) { message = String(error); }
      Deno.test(\`refused: \${name}: \${message}\`, () => {});
    }
    Deno.test("is not the main module", () => { if (import.meta.main) throw new Error("main"); });
    Deno.test("exits", () => Deno.exit(0));
  `,
  "steps_test.ts": `
    Deno.test("steps", async (t) => {
      console.log("a line of the test's own");
      if (!(await t.step("first", () => {}))) throw new Error("false");
      await t.step("outer", async (t) => {
        await t.step({ name: "inner", fn: () => {} });
        await t.step({ name: "ignored", ignore: true, fn: () => { throw new Error("never run"); } });
        await t.step(function named(t) { if (t.parent.name !== "outer" || t.parent.parent.name !== "steps") throw new Error(t.parent.name); });
      });
    });
    Deno.test("a step fails", async (t) => {
      if (await t.step("bad", () => { throw new Error("bad step"); })) throw new Error("true");
      await t.step("goes on", () => {});
    });
    Deno.test("a step is not awaited", (t) => { t.step("late", () => new Promise((resolve) => setTimeout(resolve, 20))); });
    Deno.test("steps side by side", async (t) => {
      await Promise.all(["a", "b"].map((name) => t.step({ name, sanitizeExit: false, fn: () => new Promise((resolve) => setTimeout(resolve, 5)) })));
    });
    let kept;
    Deno.test("keeps its context", (t) => { kept = t; });
    Deno.test("steps of another test", async () => { await kept.step("x", () => {}); });
    Deno.test("a step without a name", async (t) => { await t.step(() => {}); });
  `,
  "hooks_test.ts": `
    const order = [];
    Deno.test.beforeAll(() => { order.push("beforeAll"); });
    Deno.test.beforeEach(() => { order.push("beforeEach"); });
    Deno.test.beforeEach(async () => { await null; order.push("second"); });
    Deno.test.afterEach(() => { order.push("afterEach"); });
    Deno.test.afterEach(() => { order.push("last registered"); });
    Deno.test("one", () => { order.push("one"); });
    Deno.test("two", () => {
      const text = order.join();
      if (text !== "beforeAll,beforeEach,second,one,last registered,afterEach,beforeEach,second") throw new Error(text);
    });
  `,
  "hook-fails_test.ts": `
    Deno.test.beforeEach(() => { throw new Error("before each"); });
    Deno.test("one", () => {});
    Deno.test("two", () => {});
  `,
  "first-hook-fails_test.ts": `
    Deno.test.beforeAll(() => { throw new Error("before all"); });
    Deno.test("never begins", () => {});
  `,
  "last-hook-fails_test.ts": `
    Deno.test.afterAll(() => { throw new Error("after all"); });
    Deno.test("passes", () => {});
  `,
  "again_test.ts": `
    let calls = 0;
    Deno.test({ name: "never passes", retry: 2, fn() { throw new Error("attempt " + ++calls); } });
    let tries = 0;
    Deno.test({ name: "passes at last", retry: 3, fn() { if (++tries < 3) throw new Error("not yet"); } });
    let repeated = 0;
    Deno.test({ name: "repeats", repeats: 2, fn() { repeated++; } });
    Deno.test("was repeated", () => { if (repeated !== 3) throw new Error(String(repeated)); });
    Deno.test({ name: "takes too long", timeout: 60, fn: () => new Promise((resolve) => setTimeout(resolve, 600)) });
    Deno.test({ name: "never lets go", timeout: 60, fn() { for (;;); } });
    Deno.test("after it", () => {});
  `,
  "pending_test.ts": `
    Deno.test("waits for nothing", () => new Promise(() => {}));
    Deno.test("waits for nothing either", () => new Promise(() => {}));
    Deno.test("goes on", async () => { await new Promise((resolve) => setTimeout(resolve, 1)); });
  `,
  "load_test.ts": `
    Deno.test("registered", () => {});
    throw new Error("as it loads");
  `,
  "rejected_test.ts": `
    Deno.test("passes", () => {});
    Deno.test("leaves a rejection", async () => { Promise.reject(new Error("nobody listens")); await new Promise((resolve) => setTimeout(resolve, 50)); });
    Deno.test("never begins", () => {});
  `,
  "leaks_test.ts": `
    Deno.test.sanitizer({ ops: true, resources: true });
    Deno.test("a server that is shut down", async () => {
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("x"));
      await (await fetch(\`http://127.0.0.1:\${server.addr.port}/\`)).text();
      await server.shutdown();
    });
    Deno.test("sockets and files that are closed", async () => {
      const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const client = await Deno.connect({ port: listener.addr.port, hostname: "127.0.0.1" });
      (await listener.accept()).close();
      client.close();
      listener.close();
      (await Deno.open("leaks_test.ts")).close();
      clearTimeout(setTimeout(() => {}, 60_000));
      AbortSignal.timeout(60_000);
    });
    Deno.test("a timer", () => { setTimeout(() => {}, 60_000); });
    Deno.test("an interval", () => { setInterval(() => {}, 60_000); });
    Deno.test("a listener", () => { Deno.listen({ port: 0, hostname: "127.0.0.1" }); });
    Deno.test("a server", () => { Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("x")).unref(); });
    Deno.test("a connection", async () => {
      const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      await Deno.connect({ port: listener.addr.port, hostname: "127.0.0.1" });
      listener.close();
    });
    Deno.test("a file", async () => { await Deno.open("leaks_test.ts"); });
    Deno.test("a file, at once", () => { Deno.openSync("leaks_test.ts"); });
    Deno.test("a process", () => { new Deno.Command("sleep", { args: ["3"] }).spawn(); });
    Deno.test("a signal", () => { Deno.addSignalListener("SIGUSR2", () => {}); });
    Deno.test("a step's timer", async (t) => { await t.step("leaves it", () => { setTimeout(() => {}, 60_000); }); });
    Deno.test({ name: "does not mind", sanitizeOps: false, sanitizeResources: false, fn() { setTimeout(() => {}, 60_000); } });
  `,
  "node_test.ts": `
    import assert from "node:assert/strict";
    import { describe, it, test } from "node:test";
    test("passes", async (t) => { await t.test("inner", () => { assert.equal(defined(), 1); }); });
    test("fails", () => { assert.equal(1, 2); });
    test("inner fails", async (t) => { await t.test("inner", () => { throw new Error("inner"); }); });
    test.skip("skipped", () => {});
    describe("suite", () => {
      it("one", () => {});
      it.skip("two", () => {});
      describe("deeper", () => { it("three", () => {}); });
    });
    const defined = () => 1;
  `,
  "sub/__tests__/any-name.ts": `Deno.test("found by its folder", () => {});`,
  "sub/test.mts": `Deno.test("found by its name", () => {});`,
  "sub/x.test.js": `Deno.test("JavaScript", () => {});`,
  "sub/empty_test.ts": `export {};`,
  "node_modules/x/x_test.ts": `Deno.test("not looked for", () => {});`,
  "sub/testing.ts": `Deno.test("no test's name", () => {});`,
};

/** Where Deno 2.9 loses results, or has no such thing. */
export const ours: Readonly<Record<string, string>> = {
  "late_test.ts": `
    Deno.test("starts something", () => { setTimeout(() => { throw new Error("too late"); }, 0); });
    Deno.test("is running then", () => new Promise((resolve) => setTimeout(resolve, 500)));
    Deno.test("never begins", () => {});
  `,
  "ends_test.ts": `
    Deno.test("passes", () => {});
    Deno.test({ name: "ends the process", sanitizeExit: false, fn() { Deno.exit(0); } });
    Deno.test("never begins", () => {});
  `,
  "aborts_test.ts": `
    Deno.test("passes", () => {});
    Deno.test("steps", async (t) => { await t.step("aborts", () => process.abort()); });
  `,
  "stuck_test.ts": `
    Deno.test({ name: "is stuck behind an await", timeout: 400, async fn() { await new Promise((resolve) => setTimeout(resolve, 1)); for (;;); } });
    Deno.test("never begins", () => {});
  `,
  "syntax_test.ts": `const x = ;`,
  "missing_test.ts": `import "./not-there.ts";`,
  "ends-at-load_test.ts": `Deno.test("registered", () => {}); Deno.exit(0);`,
  "task_test.ts": `
    import { go } from "slipway";
    import { openSync } from "node:fs";
    Deno.test.sanitizer({ ops: true, resources: true });
    Deno.test("a task", () => { go("forever", () => new Promise(() => {})); });
    Deno.test("a body", async () => {
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("x".repeat(1e6)));
      await fetch(\`http://127.0.0.1:\${server.addr.port}/\`);
    });
    Deno.test("a descriptor", () => { openSync("task_test.ts"); });
  `,
  "x.snap": "export const snapshot = { a: 1 };",
  "snapshot_test.ts": `
    // What @std/testing/snapshot needs.
    addEventListener("unload", () => console.log("unloaded"));
    Deno.test("imports a snapshot", async () => {
      const { snapshot } = await import(new URL("./x.snap", import.meta.url).href);
      if (snapshot.a !== 1) throw new Error("no snapshot");
    });
  `,
  "permissions_test.ts": `
    Deno.test("works all the same", { permissions: { read: true } }, () => {});
    Deno.test("expects a refusal", { permissions: "none" }, () => { Deno.readTextFileSync("permissions_test.ts"); throw new Error("not refused"); });
  `,
};

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text.replace(/^\n/, "").replace(/^ {4}/gm, ""));
  }
}

/** Each test and step with how it ended, and the counts, from what either printed. */
export function outcomes(stdout: string): { readonly each: readonly string[]; readonly counts: string } {
  const each: string[] = [];
  let file = "";
  for (const line of stdout.split("\n")) {
    file = /^running .* from (.*)$/.exec(line)?.[1] ?? file;
    const [, indent, name, outcome] = /^( *)(.*?) \.\.\. (ok|FAILED|ignored|cancelled|INCOMPLETE)\b/.exec(line) ?? [];
    if (outcome !== undefined) each.push(`${file}:${indent}${name}: ${outcome}`);
    const [, broken] = /^Uncaught error from (.*) FAILED$/.exec(line) ?? [];
    if (broken !== undefined) each.push(`${broken}: uncaught`);
  }
  const [summary] = /^(?:ok|FAILED) \| \d.*(?= \()/m.exec(stdout) ?? ["no summary"];
  return { each: each.sort(), counts: summary };
}
