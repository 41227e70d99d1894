// Help and version: every verb explains itself, with examples that name verbs and flags which exist.
import { test } from "uvu";
import * as assert from "uvu/assert";
import manifest from "../../package.json" with { type: "json" };
import { fromSource, run, temporaryFolder } from "../support/process.ts";

const cwd = temporaryFolder();
const slipway = (...args: string[]) => run([...fromSource, ...args], { cwd });

for (const args of [[], ["help"], ["--help"], ["-h"]]) {
  test(`slipway ${args.join(" ")} lists the verbs`, async () => {
    const { code, stdout, stderr } = await slipway(...args);
    assert.is(code, 0);
    assert.is(stderr, "");
    for (const verb of ["new", "run", "compile", "version", "help"])
      assert.match(stdout, new RegExp(`^  ${verb} `, "m"));
    assert.match(stdout, /Examples:\n {2}slipway new shop/);
  });
}

const flags: Record<string, readonly string[]> = {
  new: ["--template", "--force"],
  doctor: ["--json"],
  completions: ["bash", "zsh", "fish", "powershell"],
  upgrade: [],
  run: [
    "--open",
    "--inspect-brk",
    "--no-dev",
    "--port",
    "--host",
    "--unix",
    "--watch",
    "SLIPWAY_PORT",
    "SIGUSR1",
    "SIGUSR2",
    "linklocal",
  ],
  compile: ["--output", "--include", "--target"],
  version: ["--verbose", "--json"],
  help: ["--guide", "--man"],
};
for (const [verb, names] of Object.entries(flags)) {
  test(`help of ${verb}`, async () => {
    const { code, stdout, stderr } = await slipway("help", verb);
    assert.is(code, 0);
    assert.is(stderr, "");
    assert.match(stdout, new RegExp(`^Usage: slipway ${verb}`));
    for (const name of names) assert.ok(stdout.includes(name), name);
    assert.not.match(stdout, /default: (\[|undefined|null|\))/);
    const examples = /Examples:\n([\s\S]*)$/.exec(stdout)?.[1] ?? "";
    assert.match(examples, new RegExp(`^ {2}slipway (${verb}|help)`));
    // No example shows a flag that the text above does not explain.
    const own = examples.replaceAll(/ -- .*/g, "").matchAll(/slipway .*? (--[a-z]+)/g);
    for (const [, flag] of own) assert.ok(stdout.indexOf(flag) < stdout.indexOf("Examples:"), flag);
    assert.is((await slipway(verb, "--help")).stdout, stdout);
  });
}

test("upgrade has no options, and its usage shows none", async () => {
  assert.match((await slipway("upgrade", "--help")).stdout, /^Usage: slipway upgrade\n/);
  assert.match((await slipway("help")).stdout, /^ {2}upgrade {3,}say how/m);
});

test("version is one line", async () => {
  for (const args of [["version"], ["--version"], ["-V"]]) {
    const { code, stdout, stderr } = await slipway(...args);
    assert.is(code, 0);
    assert.is(stdout, `slipway ${manifest.version}\n`);
    assert.is(stderr, "");
  }
});

test("version --verbose names every part, and the poller with the reason for it", async () => {
  const { code, stdout, stderr } = await slipway("version", "--verbose");
  assert.is(code, 0);
  assert.is(stderr, "");
  assert.match(stdout, /^poller {3}\w+ \(the best that works here(; .+)?\)$/m);
  assert.match(stdout, new RegExp(`^node {5}${process.versions.node}$`, "m"));
  assert.match(stdout, new RegExp(`^koffi {4}${manifest.dependencies.koffi}$`, "m"));
  assert.match(stdout, new RegExp(`^esbuild {2}${manifest.dependencies.esbuild}$`, "m"));
});

test("version as JSON, and upgrade, which is not ours", async () => {
  const [json, upgrade, guide] = await Promise.all([
    slipway("version", "--json"),
    slipway("upgrade"),
    slipway("limits"),
  ]);
  assert.is(JSON.parse(json.stdout).slipway, manifest.version);
  assert.match(upgrade.stderr, /^slipway: it does not upgrade itself and asks no network: npm install .*\n$/);
  assert.is(upgrade.code, 1);
  assert.is(guide.stderr, "slipway: 'limits' is a guide, not a verb: slipway help limits\n");
  assert.is(guide.code, 2);
});

test("the versions it names are those that are installed", async () => {
  for (const name of ["koffi", "esbuild"] as const) {
    const installed = await import(`../../node_modules/${name}/package.json`, { with: { type: "json" } });
    assert.is(installed.default.version, manifest.dependencies[name]);
  }
});

test("SLIPWAY_POLLER is named as the reason, and a bad one is said", async () => {
  const chosen = await run([...fromSource, "version", "--verbose"], { env: { SLIPWAY_POLLER: "epoll" } });
  if (process.platform === "linux")
    assert.match(chosen.stdout, /^poller {3}epoll \(because SLIPWAY_POLLER asks for it\)$/m);
  const bad = await run([...fromSource, "version", "--verbose"], { env: { SLIPWAY_POLLER: "nope" } });
  assert.match(bad.stdout, /^poller {3}none: SLIPWAY_POLLER=nope: no such poller here/m);
});

test.run();
