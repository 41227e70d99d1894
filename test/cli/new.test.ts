// `slipway new`: names, the current folder, --force, anybody's templates, the files for production, questions.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { templates } from "../../src/cli/templates.ts";
import { fromSource, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const folder = temporaryFolder();
const make = (args: string[], cwd = folder) => run([...fromSource, "new", ...args], { cwd });

test(". fills the current, empty folder and takes its name", async () => {
  const here = join(folder, "here");
  mkdirSync(here);
  mkdirSync(join(here, ".git"));
  const { code, stdout } = await make([".", "-t", "minimal"], here);
  assert.is(code, 0);
  assert.match(stdout, /^Made a server here from the template minimal\.\n {2}slipway run server\.ts --watch\n/);
  assert.is(JSON.parse(readFileSync(join(here, "package.json"), "utf8")).name, "here");
});

test(". in a folder that is not empty says what is in the way", async () => {
  const full = join(folder, "full");
  mkdirSync(full);
  writeFileSync(join(full, "notes.txt"), "mine");
  const { code, stderr } = await make(["."], full);
  assert.is(code, 1);
  assert.match(stderr, /this folder is not empty \(notes\.txt\)/);
  assert.equal(readdirSync(full), ["notes.txt"]);
});

test("a folder may be called as people call folders; the project has a name that packages may have", async () => {
  for (const [given, name] of [
    ["my shop", "my-shop"],
    ["Lädchen & Söhne", "ladchen-sohne"],
    ["Weiß's 2. Café!", "weiss-s-2.-cafe"],
  ]) {
    const { code, stdout, stderr } = await make([given]);
    assert.is(code, 0, stderr);
    const read = (file: string) => readFileSync(join(folder, given, file), "utf8");
    assert.is(JSON.parse(read("package.json")).name, name);
    assert.ok(existsSync(join(folder, given, `deploy/${name}.service`)));
    assert.match(stdout, new RegExp(`^Made .*/ from the template http, named ${name.replace(".", "\\.")}\\.\n`));
    // The line to copy is one that a shell takes.
    const enter = /^ {2}(cd .*?) && slipway run/m.exec(stdout)?.[1];
    const there = await run(["sh", "-c", `${enter} && pwd`], { cwd: folder });
    assert.is(there.stdout, `${join(folder, given)}\n`);
  }
  const odd = join(folder, "Mein Büro");
  mkdirSync(odd);
  assert.match((await make(["."], odd)).stdout, /^Made a server here from the template http, named mein-buro\.\n/);
});

test(". in a folder whose name leaves nothing of a name says what to do", async () => {
  const odd = join(folder, "日本");
  mkdirSync(odd);
  const { code, stderr } = await make(["."], odd);
  assert.is(code, 1);
  assert.match(stderr, /this folder's name, '日本', gives a package no name: rename it, .*: slipway new shop\n$/);
});

test("an empty folder may exist already", async () => {
  mkdirSync(join(folder, "empty"));
  assert.is((await make(["empty"])).code, 0);
});

test("--force overwrites what the template has and keeps the rest", async () => {
  mkdirSync(join(folder, "forced"));
  writeFileSync(join(folder, "forced/mine.txt"), "mine");
  writeFileSync(join(folder, "forced/server.ts"), "old");
  assert.is((await make(["forced"])).code, 1);
  assert.is((await make(["forced", "--force"])).code, 0);
  assert.is(readFileSync(join(folder, "forced/mine.txt"), "utf8"), "mine");
  assert.match(readFileSync(join(folder, "forced/server.ts"), "utf8"), /export default/);
});

test("the folder keeps its capitals, the package has none", async () => {
  assert.is((await make(["Shop2"])).code, 0);
  assert.is(JSON.parse(readFileSync(join(folder, "Shop2/package.json"), "utf8")).name, "shop2");
});

test("a folder that may not be written to", async () => {
  const { code, stderr } = await run([...fromSource, "new", "shop"], { cwd: "/proc" });
  assert.is(code, 1);
  assert.match(stderr, /cannot write into \/proc\/shop \(\w+\): choose a folder that you may write to\n$/);
});

test("--list, and a template that there is not", async () => {
  const { stdout } = await make(["--list"]);
  assert.equal(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    Object.keys(templates),
  );
  const wrong = await make(["x", "-t", "websockets"]);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, /there is no template 'websockets' \(did you mean websocket\?\): choose one of http, /);
});

test("anybody's template: a folder, or a package from the nearest node_modules", async () => {
  const home = join(folder, "theirs");
  const template = join(home, "node_modules/@them/starter/template");
  mkdirSync(join(template, "sub"), { recursive: true });
  mkdirSync(join(template, "node_modules/x"), { recursive: true });
  writeFileSync(join(template, "node_modules/x/index.js"), "");
  writeFileSync(join(template, "package.json"), '{"name":"__NAME__","scripts":{"dev":"exec slipway run main.ts"}}');
  writeFileSync(join(template, "main.ts"), "// __NAME__ __OTHER__");
  writeFileSync(join(template, "sub/__NAME__.bin"), new Uint8Array([0xff, 0xfe, 0x00]));
  writeFileSync(join(template, "gitignore"), "x");
  symlinkSync("/etc/passwd", join(template, "leak"));
  mkdirSync(join(home, "deep"));
  const byPackage = await make(["shop", "-t", "npm:@them/starter"], join(home, "deep"));
  assert.is(byPackage.code, 0, byPackage.stderr);
  assert.is(byPackage.stdout, "Made shop/ from the template npm:@them/starter.\n  cd shop && slipway run main.ts\n");
  const made = join(home, "deep/shop");
  assert.equal(readdirSync(made).sort(), [".gitignore", "main.ts", "package.json", "sub"]);
  assert.is(readFileSync(join(made, "main.ts"), "utf8"), "// shop __OTHER__");
  assert.equal([...readFileSync(join(made, "sub/shop.bin"))], [0xff, 0xfe, 0x00]);
  assert.is((await make(["shop2", "-t", "../node_modules/@them/starter/template"], join(home, "deep"))).code, 0);
  const missing = await make(["y", "-t", "npm:no-such"]);
  assert.is(missing.code, 1);
  assert.match(
    missing.stderr,
    /there is no package no-such in node_modules.*: npm install --no-save no-such brings it\n$/,
  );
  assert.is((await make(["y", "-t", "npm:../../etc"])).code, 2);
  assert.match((await make(["y", "-t", "./none"])).stderr, /there is no folder \.\/none/);
});

test("files for production, but not with minimal, and not where nobody wants them", async () => {
  assert.is((await make(["9.big_Shop"])).code, 0);
  const read = (name: string) => readFileSync(join(folder, "9.big_Shop", name), "utf8");
  const all = ["Dockerfile", ".dockerignore", "compose.yaml", ".gitlab-ci.yml", ".github/workflows/ci.yml"];
  const own = ["README.md", "k8s.yaml", "9.big_shop.service", "9.big_shop.socket"].map((name) => `deploy/${name}`);
  for (const name of [...all, ...own]) assert.not.match(read(name), /__[A-Z]+__/, name);
  assert.match(read("deploy/k8s.yaml"), /name: app-9-big-shop\n/, "what Kubernetes takes for a name");
  assert.match(read("Dockerfile"), /^COPY --chmod=755 9\.big_shop \/image\/server$/m);
  await make(["plain", "--no-deploy", "-t", "api"]);
  await make(["small", "-t", "minimal"]);
  for (const name of ["plain", "small"]) {
    const files = readdirSync(join(folder, name));
    assert.equal(
      files.filter((file) => /docker|compose|deploy|gitlab|github/i.test(file)),
      [],
      name,
    );
  }
  await make(["smaller", "-t", "minimal", "--deploy"]);
  assert.ok(readdirSync(join(folder, "smaller")).includes("Dockerfile"));
});

test("who kills waits longer than the drain takes, everywhere", async () => {
  await make(["timed", "-t", "api"]);
  await make(["timed2"]);
  for (const [name, pattern] of [
    ["timed/deploy/k8s.yaml", /terminationGracePeriodSeconds: (\d+)/],
    ["timed2/deploy/k8s.yaml", /terminationGracePeriodSeconds: (\d+)/],
    ["timed/compose.yaml", /stop_grace_period: (\d+)s/],
    ["timed2/compose.yaml", /stop_grace_period: (\d+)s/],
    ["timed/deploy/timed.service", /TimeoutStopSec=(\d+)s/],
  ] as const) {
    const seconds = Number(pattern.exec(readFileSync(join(folder, name), "utf8"))?.[1]);
    assert.ok(seconds > 30 && seconds < 60, `${name}: ${seconds}`);
  }
});

/** A test that needs a program which is not on every machine. */
const testWith = (program: string) => (name: string, check: () => Promise<void>) => {
  if (existsSync(`/usr/bin/${program}`)) test(name, check);
  else skip(test, name, `there is no ${program}`);
};

testWith("systemd-analyze")("systemd thinks well of the service", async () => {
  assert.is((await make(["guarded"])).code, 0);
  const unit = join(folder, "guarded/deploy/guarded.service");
  const looked = await run(["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit]);
  assert.is(looked.code, 0, looked.stdout + looked.stderr);
  assert.match(looked.stdout, /exposure level for guarded\.service: [01]\.\d OK/);
});

/** What a person sees who types these lines, one whenever the last line is a question. */
async function typed(args: string[], lines: readonly [RegExp, string][]) {
  const quoted = [...fromSource, "new", ...args].map((word) => `'${word}'`).join(" ");
  const terminal = start(["script", "-qfec", quoted, "/dev/null"], { cwd: folder });
  for (const [question, line] of lines) {
    await terminal.saw(question);
    terminal.child.stdin?.write(line);
  }
  return await terminal.finished;
}

testWith("script")("at a terminal three questions, until the answers will do", async () => {
  const asked = await typed(
    [],
    [
      [/Name of the new folder: /, "../bad\r"],
      [/is no good as a project's name/, "asked\r"],
      [/Template, by name or number/, "nope\r"],
      [/there is no template 'nope'/, "3\r"],
      [/systemd and CI\?/, "maybe\r"],
      [/y or n/, "n\r"],
    ],
  );
  assert.is(asked.code, 0, asked.stdout);
  assert.match(asked.stdout, /Made asked\/ from the template websocket\./);
  assert.not.ok(readdirSync(join(folder, "asked")).includes("Dockerfile"));
});

testWith("script")("at a terminal with all said, or with --yes, none; and who leaves has nothing", async () => {
  const said = await typed(["said", "-t", "tcp", "--deploy"], []);
  assert.match(said.stdout, /^Made said\//);
  assert.match((await typed(["yes", "--yes"], [])).stdout, /^Made yes\/ from the template http/);
  const gone = await typed([], [[/Name of the new folder: /, "\x04"]]);
  assert.is(gone.code, 1);
  assert.match(gone.stdout, /nothing was made/);
  assert.is((await typed([], [[/Name of the new folder: /, "\x03"]])).code, 130);
});

test.run();
