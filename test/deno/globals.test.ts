// The global scope's events and prompts: what Deno says, with `run`, compiled and in tests.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { fromSource, repository, run } from "../support/process.ts";
import { project } from "../support/project.ts";
import { skip } from "../support/skip.ts";

const program = join(repository, "test/deno/programs/global-events.ts");
const underDeno = [denoProgram ?? "", "run", "-A", "--no-config", "--no-check"];
const options = { env: { NO_COLOR: "1" }, input: "" };

const scope = suite("the global scope");

if (denoProgram === undefined) skip(scope, "tells what happens as Deno does", noDeno);
else {
  scope("tells what happens as Deno does, run and compiled", async () => {
    const slipway = await slipwayBinary();
    const folder = project({ "server.ts": `import ${JSON.stringify(program)};` });
    const compiled = join(folder, "program");
    const made = await run([slipway, "compile", join(folder, "server.ts"), "-o", compiled], options);
    assert.is(made.code, 0, made.stderr);
    const [deno, ours, sealed] = await Promise.all(
      [[...underDeno, program], [...fromSource, "run", program], [compiled]].map((command) => run(command, options)),
    );
    assert.match(deno.stdout, "unload Event false true handler");
    assert.is(ours.stdout, deno.stdout, ours.stderr);
    assert.is(sealed.stdout, deno.stdout, sealed.stderr);
    assert.equal([ours.code, sealed.code, deno.code], [0, 0, 0]);
  });

  scope("an end that is not prevented is one, and has no unload", async () => {
    const listens = `
      addEventListener("error", ({ message }) => console.log(message));
      addEventListener("unhandledrejection", ({ reason }) => console.log(reason));
      addEventListener("unload", () => console.log("unload"));
      setTimeout(() => console.log("later"), 50);`;
    const folder = project({
      "rejects.ts": `${listens} Promise.reject(7);`,
      "listener.ts": `${listens} addEventListener("x", () => { throw 8 }); dispatchEvent(new Event("x")); console.log("never")`,
      "loads.ts": `${listens} addEventListener("load", () => console.log("load")); throw "x";`,
      "survives.ts": `${listens} addEventListener("unhandledrejection", (event) => event.preventDefault()); throw "x";`,
      "twice.ts": `${listens} addEventListener("error", () => { throw 9 }); setTimeout(() => reportError(10));`,
      "closes.ts": `${listens} close(); close(); console.log(closed);`,
      "exits.ts": `${listens} addEventListener("unload", () => Deno.exit(5)); setTimeout(() => Deno.exit(4));`,
    });
    for (const file of ["rejects.ts", "listener.ts", "loads.ts", "survives.ts", "twice.ts", "closes.ts", "exits.ts"]) {
      const [ours, deno] = await Promise.all(
        [fromSource.concat("run"), underDeno].map((command) => run([...command, join(folder, file)], options)),
      );
      assert.equal([file, ours.code, ours.stdout], [file, deno.code, deno.stdout], ours.stderr);
    }
  });
}

if (spawnSync("script", ["--version"]).stdout?.toString().includes("util-linux") !== true) {
  skip(scope, "asks the person at the terminal", "script(1) of util-linux is not installed");
} else {
  scope("asks the person at the terminal", async () => {
    const ask = 'const said = [alert("A"), confirm("B"), confirm(), prompt("C"), prompt("D", "é"), prompt()];';
    const folder = project({ "asks.ts": `${ask} console.log("said " + JSON.stringify(said));` });
    const line = [...fromSource, "run", join(folder, "asks.ts")].map((word) => `'${word}'`).join(" ");
    const input = "\ny\nyes\nthrée\n\n\x04";
    const { stdout } = await run(["script", "-qec", line, "/dev/null"], { ...options, input });
    assert.match(stdout, 'said [null,true,false,"thrée","é",null]');
    for (const question of ["A [Enter] ", "B [y/N] ", "Confirm [y/N] ", "C ", "D [é] ", "Prompt "]) {
      assert.ok(stdout.includes(question), question);
    }
  });
}

scope("in tests: what is prevented fails none", async () => {
  const folder = project({
    "a_test.ts": `
      for (const type of ["load", "beforeunload", "unload"]) addEventListener(type, () => console.log("<" + type + ">"));
      const caught = Promise.withResolvers();
      addEventListener("error", (event) => { event.preventDefault(); caught.resolve(event.error); });
      addEventListener("unhandledrejection", (event) => { event.preventDefault(); reportError(event.reason); });
      Deno.test("survives", async () => {
        Promise.reject(new Error("x"));
        if ((await caught.promise).message !== "x") throw new Error("something else");
      });`,
  });
  const { code, stdout } = await run([...fromSource, "test", folder], { ...options, cwd: folder });
  assert.is(code, 0, stdout);
  assert.equal(stdout.match(/<\w+>|ok \| 1 passed/g), ["<load>", "<beforeunload>", "<unload>", "ok | 1 passed"]);
});

scope.run();
