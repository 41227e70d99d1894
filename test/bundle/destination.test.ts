// time limit: 240 s
/** What `compile` writes over, and what it must never destroy. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openPayload } from "../../src/bundle/executable.ts";
import { bundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { cannotServe } from "../../src/bundle/serves.ts";
import { slipwayBinary } from "../support/binary.ts";
import { run } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("where compile writes");
const slipway = await slipwayBinary();

const files = {
  "package.json": `{"name":"shop"}`,
  "deno.json": `{}`,
  "server.ts": `import { a } from "./a.ts"; import page from "./page.html"; export default { fetch: () => new Response(a + page) };`,
  "a.ts": `export const a = "a";`,
  "page.html": "<p>",
  "data/photo.jpg": "not to be lost",
};

async function compile(folder: string, ...args: string[]) {
  return run([slipway, "compile", ...args], { cwd: folder });
}

/** The one line with which it refuses. */
async function refusal(folder: string, ...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await compile(folder, ...args);
  assert.is(code !== 0, true, stdout);
  assert.match(stderr, /^slipway: [^\n]+\n$/);
  return stderr;
}

test("an empty file that is included is a part of the program", async () => {
  const folder = project({ ...files, "data/empty.txt": "" });
  const line = await refusal(folder, "server.ts", "-o", "data/empty.txt", "--include", "data");
  assert.match(line, /is a part of the program/);
  assert.is(statSync(join(folder, "data/empty.txt")).size, 0);
});

test("no file of the person's is overwritten", async () => {
  const folder = project({ ...files, shop: "#!/bin/sh\n" });
  symlinkSync("data/photo.jpg", join(folder, "link"));
  linkSync(join(folder, "server.ts"), join(folder, "hard"));
  for (const name of [...Object.keys(files), "shop", "link"]) {
    const expected = name === "server.ts" ? /is the program itself/ : /was not made by slipway compile: choose another/;
    assert.match(await refusal(folder, "server.ts", "-o", name, "--include", "data"), expected);
  }
  assert.match(await refusal(folder, "server.ts", "-o", "hard"), /hard is the program itself/);
  for (const [name, content] of Object.entries({ ...files, shop: "#!/bin/sh\n" })) {
    assert.is(readFileSync(join(folder, name), "utf8"), content, name);
  }
  assert.ok(lstatSync(join(folder, "link")).isSymbolicLink());
  assert.is(readdirSync(folder).length, Object.keys(files).length + 3, "nothing was left behind");
});

test("without --output too", async () => {
  const folder = project({ ...files, server: "mine" });
  assert.match(await refusal(folder, "server.ts"), /server exists and was not made by slipway compile/);
  assert.is(readFileSync(join(folder, "server"), "utf8"), "mine");
});

test("only files are written over: no folder, pipe, socket or device, and no link to nothing", async () => {
  const folder = project(files);
  mkdirSync(join(folder, "empty"));
  assert.is((await run(["mkfifo", join(folder, "pipe")])).code, 0);
  const server = createServer().listen(join(folder, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  symlinkSync("nowhere", join(folder, "dangling"));
  try {
    assert.match(await refusal(folder, "server.ts", "-o", "empty"), /empty is a directory: choose another name/);
    assert.match(await refusal(folder, "server.ts", "-o", "pipe"), /pipe is a named pipe: choose another name/);
    assert.match(await refusal(folder, "server.ts", "-o", "socket"), /socket is a socket: choose another name/);
    assert.match(await refusal(folder, "server.ts", "-o", "/dev/null"), /null is a device: choose another name/);
    assert.match(await refusal(folder, "server.ts", "-o", "dangling"), /dangling is a link to nowhere, which does not/);
  } finally {
    server.close();
  }
  assert.ok(lstatSync(join(folder, "pipe")).isFIFO());
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

test("its own executables and empty files are replaced, through a link as well", async () => {
  const folder = project({ ...files, made: "" });
  symlinkSync("made", join(folder, "link"));
  for (const name of ["made", "made", "link"]) {
    const { code, stderr } = await compile(folder, "server.ts", "-o", name);
    assert.is(code, 0, stderr);
  }
  assert.ok(lstatSync(join(folder, "link")).isSymbolicLink());
  assert.is(openPayload(join(folder, "made"))?.kind, "program");
});

test("not an executable that is a part of the program, and not slipway itself", async () => {
  const folder = project({
    ...files,
    "tool.ts": `export default { fetch: () => new Response() };`,
    "server.ts": `import tool from "./tool" with { type: "bytes" }; export default { fetch: () => new Response(tool) };`,
  });
  assert.is((await compile(folder, "tool.ts", "-o", "tool")).code, 0);
  assert.match(await refusal(folder, "server.ts", "-o", "tool"), /tool is a part of the program: choose another name/);
  assert.match(await refusal(folder, "tool.ts", "-o", "tool", "--include", "tool"), /tool is a part of the program/);
  assert.match(await refusal(folder, "tool.ts", "-o", slipway), /slipway is slipway itself: choose another name/);
});

test("a folder that may not be written to is named, not the hidden file beside the output", async () => {
  const folder = project({ ...files, "closed/x": "" });
  chmodSync(folder, 0o755);
  chmodSync(join(folder, "closed"), 0o555);
  const { code, stderr } = await run([slipway, "compile", "server.ts", "-o", "closed/shop"], {
    cwd: folder,
    ...(process.getuid?.() === 0 ? { uid: 65534 } : {}),
  });
  assert.is(code, 1);
  assert.match(
    stderr,
    /^slipway: \S+\/closed\/shop cannot be written \(EACCES: permission denied\): choose another place/,
  );
  assert.not.match(stderr, /\.part/);
});

test("--include . takes no earlier output under whatever name, no node_modules, no .git", async () => {
  const folder = project({
    ...files,
    "node_modules/x/index.js": "",
    ".git/config": "",
    "deep/node_modules/y.js": "",
    "deep/z.txt": "z",
  });
  let size = 0;
  for (const name of ["one", "two", "deep/three", "one"]) {
    const { code, stderr } = await compile(folder, "server.ts", "-o", name, "--include", ".");
    assert.is(code, 0, stderr);
    const made = statSync(join(folder, name)).size;
    if (size > 0) assert.is(made, size, name);
    size = made;
  }
  const payload = openPayload(join(folder, "two"));
  const names = payload?.names().filter((name) => name.startsWith("file:"));
  payload?.close();
  assert.equal(names, [...Object.keys(files), "deep/z.txt"].map((name) => `file:${name}`).sort());
});

test("what is wrong with --include is told as any wrong flag is", async () => {
  const folder = project({ ...files, "fn.ts": "export default { fetch: () => new Response() };" });
  assert.is(
    await refusal(folder, "fn.ts", "--include", "nope"),
    "slipway: --include nope: there is no such file or directory\n",
  );
  symlinkSync("/etc/hostname", join(folder, "data/out"));
  assert.match(await refusal(folder, "fn.ts", "--include", "data"), /--include: data\/out is a link that leads out of/);
  assert.not.ok(existsSync(join(folder, "fn")));
});

test("a program that surely will not serve is warned about; one that may is not", async () => {
  const warns: Record<string, RegExp> = {
    "export default 42;": /will not serve: its default export is 42/,
    'export default "hello";': /will not serve: its default export is "hello"/,
    "export function handler() { return 1; }": /will not serve: it has no default export and listens on nothing/,
    "export default {};": /will not serve: its default export has neither fetch nor connect \(it is empty\)/,
    "const app = {\n  port: 1,\n  async handler() { return { fetch: 1 }; },\n}; export default app;":
      /its default export has neither fetch nor connect \(it has port, handler\)/,
    "const a = 1 + 1;": /will not serve: it exports nothing and listens on nothing/,
  };
  const fine = [
    `export default { fetch() { return new Response(); } };`,
    `const app = 1; export default (globalThis as any).app ?? app;`,
    `const app: any = {}; app.fetch = () => new Response(); export default app;`,
    `const app: any = {\n  port: 1,\n}; Object.assign(app, { fetch() {} }); export default app;`,
    `const rest = { fetch() {} }; export default {\n  port: 1,\n  ...rest,\n};`,
    `const name = "fetch"; export default {\n  port: 1,\n  [name]() {},\n};`,
    `const connect = () => {}; export default {\n  port: 1,\n  connect,\n};`,
    `export default {\n  async "fetch"() {\n    return new Response(\`\n  a: b\n\`);\n  },\n};`,
    `const x = {\n  get fetch() { return () => new Response(); },\n}; export { x as default };`,
    `Deno.serve(() => new Response());`,
    `import { createServer } from "node:http"; createServer().listen(0); export const a = 1;`,
    `module.exports = { fetch() {} };`,
    `console.log(1);`,
    `setInterval(() => console.log(1), 1000);`,
  ];
  const folder = project({});
  for (const source of [...Object.keys(warns), ...fine]) {
    writeFileSync(join(folder, "program.ts"), source);
    const { code } = await bundle(join(folder, "program.ts"));
    const doubt = cannotServe(code);
    if (source in warns) assert.match(`will not serve: ${doubt}`, warns[source]);
    else assert.is(doubt, undefined, source);
  }
  // How it is said, once each: every executable is 120 MB to write.
  for (const [source, says] of [
    ["export default 42;", /^warning: program\.ts will not serve: its default export is 42[^\n]*\n$/],
    ["export default {};", /^warning: program\.ts will not serve: its default export has neither fetch[^\n]*\n$/],
    ["setInterval(() => console.log(1), 1000);", /^$/],
  ] as const) {
    writeFileSync(join(folder, "program.ts"), source);
    const { code, stderr } = await compile(folder, "program.ts", "-o", "out");
    assert.is(code, 0, stderr);
    assert.match(stderr, says);
  }
});

test.after(stopEsbuild);

test.run();
