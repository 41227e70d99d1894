// time limit: 240 s
// What the command line says when something is wrong: one line, what to do, no stack, the right exit code.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fromSource, run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const slipway = (args: string[], env: Record<string, string> = {}) =>
  run([...fromSource, ...args], { cwd: folder, env });

/** Runs, and holds the one line of stderr against `expected`. */
async function fails(args: string[], code: number, expected: RegExp, env: Record<string, string> = {}): Promise<void> {
  const { code: actual, stdout, stderr } = await slipway(args, env);
  assert.match(stderr, expected);
  assert.is(actual, code, stderr);
  assert.is(stdout, "");
  assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.not.match(stderr, /\n\s+at /);
}

const good = "export default { fetch() { return new Response('ok'); } };";
write("good.ts", good);

// Root may read everything and listen anywhere, so then somebody else has to try: nobody, if the repository lets them.
const uid = process.getuid?.() === 0 ? 65534 : undefined;
chmodSync(folder, 0o755);
const asUser = (await run([...fromSource, "version"], { cwd: folder, uid })).code === 0;
const onlyRoot = "the repository lies where only root can read it";

const usage = suite("command line");
usage("an unknown verb names the nearest", () =>
  fails(["rnu", "good.ts"], 2, /unknown verb 'rnu' \(did you mean run\?\)/),
);
usage("an unknown verb lists the verbs", () =>
  fails(["frobnicate"], 2, /choose one of new, run, compile, test, bench, check, [a-z, ]+, version, help/),
);
usage("what other tools call a verb", async () => {
  await fails(["dev"], 2, /unknown verb 'dev' \(did you mean run --watch\?\)/);
  await fails(["build"], 2, /unknown verb 'build' \(did you mean compile\?\)/);
});
usage("a permission, as of Deno", () =>
  fails(["run", "--allow-net", "good.ts"], 2, /unknown option '--allow-net': there is no sandbox, .* leave it out/),
);
usage("completions without a shell", () =>
  fails(["completions"], 2, /the name of a shell.*slipway completions bash$/m),
);
usage("a file in place of a verb", () =>
  fails(["good.ts"], 2, /'good\.ts' is a file, not a verb: slipway run good\.ts/),
);
usage("help for an unknown verb", () => fails(["help", "compil"], 2, /did you mean compile\?/));
usage("an unknown flag names the nearest", () =>
  fails(
    ["run", "good.ts", "--prot", "1"],
    2,
    /unknown option '--prot' \(did you mean --port\?\); see slipway help run/,
  ),
);
usage("an unknown flag before any verb", () => fails(["--versoin"], 2, /did you mean --version\?/));
usage("a flag without its value", () => fails(["run", "good.ts", "--port"], 2, /--port <port>' argument missing/));
usage("run without a file", () =>
  fails(["run"], 2, /run needs a file: there is no server\.ts, main\.ts, mod\.ts or index\.ts in this folder/),
);
usage("compile without a file", () => fails(["compile"], 2, /compile needs a file: there is no server\.ts/));
usage("new without a name", () => fails(["new"], 2, /new needs a name: for example, slipway new shop/));
usage("too many arguments", () => fails(["version", "x"], 2, /too many arguments/));
for (const bad of ["abc", "-1", "65536", "80.5", "0x50", "", "1e3"]) {
  usage(`--port ${JSON.stringify(bad)}`, () =>
    fails(["run", "good.ts", `--port=${bad}`], 2, /--port must be a whole number from 0 \(any free port\) to 65535/),
  );
}
usage("a bad SLIPWAY_PORT", () =>
  fails(["run", "good.ts"], 2, /environment's SLIPWAY_PORT must be/, { SLIPWAY_PORT: "x" }),
);
usage("--port with --unix", () =>
  fails(["run", "good.ts", "--port", "1", "--unix", "x"], 2, /--unix and --port exclude/),
);
usage("--host with --unix", () =>
  fails(["run", "good.ts", "--host", "::", "--unix", "x"], 2, /--unix and --host exclude/),
);
usage("an argument of the program's without --", () =>
  fails(["run", "good.ts", "start"], 2, /unexpected argument 'start': the program's own arguments go behind --; see/),
);
usage("an argument of the program's before --", () =>
  fails(["run", "good.ts", "start", "--", "now"], 2, /unexpected argument 'start'/),
);
usage("an empty --host", () => fails(["run", "good.ts", "--host="], 2, /--host is empty/));
usage("an unknown --target", () =>
  fails(
    ["compile", "good.ts", "-o", "x", "--target", "win-x86"],
    2,
    /'win-x86': there are linux-x64, .*win-x64, and all/,
  ),
);
usage.run();

const entry = suite("the program's file");
mkdirSync(join(folder, "shop"));
write("shop/server.ts", good);
entry("missing", () => fails(["run", "nowhere.ts"], 1, /there is no file nowhere\.ts/));
entry("missing, with one that is nearly the same", () => fails(["run", "god.ts"], 1, /did you mean good\.ts\?/));
entry("in a missing folder", () => fails(["run", "nowhere/server.ts"], 1, /its folder does not exist/));
entry("below a file", () => fails(["run", "good.ts/x.ts"], 1, /there is no file/));
mkdirSync(join(folder, "bare"));
write("bare/other.ts", good);
entry("a folder without a server", () =>
  fails(["run", "bare"], 1, /no server\.ts, .* in bare: name the file, for example slipway run bare\/other\.ts/),
);
entry("a folder without a server, compiled", () =>
  fails(["compile", "bare"], 1, /in bare: name the file, for example slipway compile bare\/other\.ts/),
);
mkdirSync(join(folder, "hollow"));
entry("a folder with nothing in it", () => fails(["run", "hollow"], 1, /in hollow: make one with slipway new <name>/));
entry("an address", () => fails(["run", "https://x.example/y.ts"], 1, /nothing is fetched from the network: save it/));
if (!asUser) skip(entry, "unreadable", onlyRoot);
else {
  entry("unreadable", async () => {
    writeFileSync(join(folder, "secret.ts"), good, { mode: 0 });
    const { code, stderr } = await run([...fromSource, "run", "secret.ts"], { cwd: folder, uid });
    assert.is(stderr, "slipway: secret.ts may not be read by this user: check it and its folders with ls -l\n");
    assert.is(code, 1);
    write("reads.ts", `import "./secret.ts";\n${good}`);
    const checked = await run([...fromSource, "check", "reads.ts"], { cwd: folder, uid });
    assert.match(checked.stderr, /^slipway: \S+\/secret\.ts: permission denied \(EACCES, open\): .+\n$/);
    assert.is(checked.code, 1);
  });
}
entry("a syntax error shows file, line, column and the code", async () => {
  write("broken.ts", "const a = 1;\nconst b = = 2;\n");
  const { code, stderr } = await slipway(["run", "broken.ts", "--port", "0"]);
  assert.is(code, 1);
  assert.match(stderr, /^broken\.ts:2:11: Unexpected "="\n/);
  assert.match(stderr, /2 \| const b = = 2;\n\s+\| {11}\^/);
  assert.not.match(stderr, /\n\s+at /);
});
entry("a missing import", async () => {
  write("imports.ts", 'import { x } from "./gone.ts";\nexport default { fetch: () => new Response(x) };');
  const { code, stderr } = await slipway(["run", "imports.ts", "--port", "0"]);
  assert.is(code, 1);
  assert.match(stderr, /^imports\.ts:1:19: .*gone\.ts/);
});
entry("what is thrown need not be an error", async () => {
  write("weird.ts", "throw { weird: 1 };");
  await fails(["run", "weird.ts"], 1, /weird\.ts failed as it was loaded: \{ weird: 1 \}/);
  write("weird-later.ts", "queueMicrotask(() => { throw { weird: 1 }; });");
  await fails(["run", "weird-later.ts"], 1, /^Uncaught \{ weird: 1 \}\n$/);
});
entry("a global of browsers", async () => {
  write("asks.ts", "const { title } = window.document;");
  const { code, stderr } = await slipway(["run", "asks.ts"]);
  assert.match(stderr, /ReferenceError: window is not defined[\s\S]+\nthere is no window here: write globalThis/);
  assert.is(code, 1);
});
entry("an error as the program loads shows its own stack", async () => {
  write("throws.ts", "type A = string;\n\nfunction fail(): A {\n  throw new Error('no database');\n}\nfail();\n");
  const { code, stderr } = await slipway(["run", "throws.ts", "--port", "0"]);
  assert.is(code, 1);
  assert.match(stderr, /no database/);
  assert.match(stderr, /throws\.ts:4/);
  assert.match(stderr, /\n> 4 \| {3}throw new Error/);
});
entry.run();

const shapes = suite("the default export");
const shape = (name: string, source: string, expected: RegExp) =>
  shapes(name, async () => {
    const file = `${name.replaceAll(/\W+/g, "-")}.ts`;
    write(file, source);
    await fails(["run", file, "--port", "0"], 1, expected);
  });
shape(
  "none, but handler",
  "export function handler() {}",
  /has no default export, it exports 'handler': write export default \{ fetch: handler \}/,
);
shape("none, but app", "export const app = 1;", /it exports 'app': write export default app/);
shape(
  "none, but others",
  "export const a = 1, b = 2;",
  /it exports 'a', 'b': write export default \{ fetch\(request\)/,
);
const nothing = /exports nothing and listens on nothing: write export default/;
shape("nothing at all", "export {};", nothing);
shape("a function alone", "function handler() { return new Response(); }", nothing);
shape("an app alone", "const app = { get() {} };\napp.get();\nnew URL('http://a/');", nothing);
shape("a string", "export default 'hello';", /exports the string "hello" as default/);
shape("null", "export default null;", /exports null as default/);
shape("undefined", "export default undefined;", /exports undefined as default/);
shape("an array", "export default [];", /neither fetch nor connect/);
shape("an empty object", "export default {};", /neither fetch nor connect \(it is empty\)/);
shape("other keys", "export default { get() {}, post() {} };", /neither fetch nor connect \(it has get, post\)/);
shape("a promise", "export default Promise.resolve({});", /exports a promise as default: write export default await/);
shape("a class", "export default class App { fetch() {} }", /exports the class App as default: export an instance/);
shape(
  "fetch that is no function",
  "export default { fetch: 5 };",
  /'fetch' of the default export must be a function, not the number 5/,
);
shape("both", "export default { fetch() {}, connect() {} };", /both fetch \(HTTP\) and connect \(raw TCP\): keep one/);
shape("a bad port", "export default { fetch() {}, port: 'x' };", /'port' of the default export must be a whole number/);
shape(
  "a bad hostname",
  "export default { fetch() {}, hostname: 5 };",
  /'hostname' of the default export must be a string/,
);
shape("port and unix", "export default { fetch() {}, port: 1, unix: 'x' };", /both 'port' and 'unix'/);
shapes.run();

const listening = suite("listening");
listening("a port that is taken is named, with another to choose", async () => {
  const holder = createServer().listen(0, "0.0.0.0");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as { port: number };
  try {
    await fails(
      ["run", "good.ts", "--port", `${port}`],
      1,
      new RegExp(
        `port ${port} on 0\\.0\\.0\\.0 is taken by node \\(pid ${process.pid}\\): stop it, or choose another with --port ${port + 1} `,
      ),
    );
  } finally {
    holder.close();
  }
});
const privileged = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
if (!existsSync(privileged) || Number(readFileSync(privileged, "utf8")) <= 1) {
  skip(listening, "a privileged port", "this system lets everybody listen on port 1");
} else if (!asUser) skip(listening, "a privileged port", onlyRoot);
else {
  listening("a privileged port", async () => {
    const { code, stderr } = await run([...fromSource, "run", "good.ts", "--port", "1"], { cwd: folder, uid });
    assert.match(
      stderr,
      /^slipway: no permission to listen on port 1, .* choose one from 1024 on \(--port 8000\).*\n$/,
    );
    assert.is(code, 1);
  });
}
listening("an address of another machine", () =>
  fails(["run", "good.ts", "--port", "0", "--host", "192.0.2.1"], 1, /192\.0\.2\.1 is no address of this machine/),
);
listening("a name without an address", () =>
  fails(
    ["run", "good.ts", "--port", "0", "--host", "no-such-host.invalid"],
    1,
    /the name no-such-host\.invalid has no address/,
  ),
);
listening("a Unix path in a missing folder", () =>
  fails(["run", "good.ts", "--unix", "gone/x.sock"], 1, /the folder of gone\/x\.sock does not exist/),
);
listening("a Unix path that is a file", () =>
  fails(["run", "good.ts", "--unix", "good.ts"], 1, /good\.ts exists and is not a socket/),
);
listening("a Unix path that is too long", () =>
  fails(["run", "good.ts", "--unix", "x".repeat(120)], 1, /120 bytes.*107/),
);
listening.run();

const making = suite("new");
making("an unknown template lists what there is", () =>
  fails(
    ["new", "shop2", "--template", "htp"],
    2,
    /no template 'htp' \(did you mean http\?\): choose one of http, api, websocket, static, tcp, proxy, minimal, or /,
  ),
);
making("a folder that is not empty", () =>
  fails(["new", "shop"], 1, /folder shop exists already and is not empty: choose another name/),
);
making("a name that is a file", () => fails(["new", "good.ts"], 1, /good\.ts exists and is a file/));
for (const bad of [
  "../shop",
  "/tmp/shop",
  "a/b",
  "..",
  ".hidden",
  "-x y",
  "a:b",
  "node_modules",
  "",
  "日本",
  "!",
  "x".repeat(200),
  "a\\b",
]) {
  making(`the name ${JSON.stringify(bad.slice(0, 20))}`, async () => {
    const before = readdirSync(folder).length;
    await fails(["new", "--", bad], 2, /is no good as a project's name|is reserved|gives a package no name/);
    assert.is(readdirSync(folder).length, before);
  });
}
making("nothing is written when something is wrong", () => assert.not.ok(existsSync(join(folder, "shop2"))));
making.run();
