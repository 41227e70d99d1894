// time limit: 240 s
// Output that cannot be written ends no server, and a command without a stack.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { fromSource, run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const folder = temporaryFolder();
const full = existsSync("/dev/full") ? openSync("/dev/full", "w") : -1;
const binary = await slipwayBinary();

writeFileSync(
  join(folder, "chatty.ts"),
  `export default { fetch(request: Request) {
    console.log("a line");
    console.error("a line");
    process.stdout.write("a line\\n");
    if (request.url.endsWith("/throw")) throw new Error("logged");
    return new Response("ok");
  } };`,
);
writeFileSync(
  join(folder, "program.ts"),
  "console.log('starting');\nDeno.serve(() => { console.log('a line'); return new Response('ok'); });",
);
assert.is((await run([binary, "compile", "chatty.ts", "-o", "chatty"], { cwd: folder })).code, 0);

const ways: Record<string, readonly string[]> = {
  run: [...fromSource, "run", "chatty.ts"],
  "run, a plain program": [...fromSource, "run", "program.ts"],
  "run by the binary": [binary, "run", "chatty.ts"],
  "a compiled server": [join(folder, "chatty")],
};

const servers = suite("a server whose output is lost");
const living = new Set<ChildProcess>();
for (const [name, command] of Object.entries(ways)) {
  if (full < 0) skip(servers, `${name}: a full disk`, "there is no /dev/full here");
  else servers(`${name}: a full disk`, () => outlives(command, [full, full]));
  servers(`${name}: its reader goes away`, () => outlives(command, ["pipe", "pipe"]));
}
servers.after(() => {
  for (const child of living) child.kill("SIGKILL");
});
servers.run();

/** Starts a server whose output goes nowhere, and asks it again and again. */
async function outlives([program, ...args]: readonly string[], output: readonly ("pipe" | number)[]): Promise<void> {
  const port = await freePort();
  const child = spawn(program, [...args, "--port", String(port)], { cwd: folder, stdio: ["ignore", ...output] });
  living.add(child);
  const ended = new Promise<string>((resolve) => child.on("exit", (code, signal) => resolve(`${code} ${signal}`)));
  child.stdout?.destroy();
  child.stderr?.destroy();
  let over: string | undefined;
  void ended.then((how) => (over = how));
  while (!(await answers(`http://127.0.0.1:${port}/`))) {
    if (over !== undefined) throw new Error(`it ended before it served: ${over}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let count = 0; count < 10; count++) {
    const response = await fetch(`http://127.0.0.1:${port}/${count % 3 === 2 ? "throw" : ""}`);
    assert.ok(response.status === 200 || response.status === 500);
    await response.text();
  }
  assert.is(over, undefined);
  child.kill("SIGTERM");
  assert.is(await ended, "0 null");
  living.delete(child);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const commands = suite("a command whose output is lost");
commands("ends in silence when its reader has had enough", async () => {
  for (const slipway of [fromSource, [binary]]) {
    const [program, ...args] = slipway;
    const child = spawn(program, [...args, "help"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.is(stderr, "");
    assert.is(code, 0);
  }
});
if (full < 0) skip(commands, "says in one line that the disk is full", "there is no /dev/full here");
else {
  commands("says in one line that the disk is full", async () => {
    const shell = (line: string) => run(["sh", "-c", line, "sh", ...fromSource], { cwd: folder });
    for (const line of ['"$@" help >/dev/full', '"$@" compile chatty.ts -o again >/dev/full']) {
      const { code, stderr } = await shell(line);
      assert.match(stderr, /^slipway: standard output could not be written: ENOSPC: [^\n]+\n$/);
      assert.is(code, 1);
    }
    assert.ok(existsSync(join(folder, "again")));
    assert.is((await shell('"$@" help 2>/dev/full')).code, 0);
    assert.is((await shell('"$@" frobnicate 2>/dev/full')).code, 2);
  });
  commands("a log that is whole again is written again", async () => {
    writeFileSync(join(folder, "tool.ts"), "console.log('lost');\nsetTimeout(() => console.error('kept'), 10);");
    const { code } = await run(["sh", "-c", '"$@" run tool.ts >/dev/full 2>err', "sh", ...fromSource], { cwd: folder });
    assert.is(readFileSync(join(folder, "err"), "utf8"), "kept\n");
    assert.is(code, 0);
  });
}
commands.run();
