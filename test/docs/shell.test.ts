// time limit: 540 s
// Every command of every page, of the templates' READMEs and of every verb's help, run as it is written, in order, by the built binary and
// with no Node on the PATH: it ends by itself, or serves and is ended by Ctrl-C; where a page shows what comes, that comes.
//
// What is not run is in the tables below, each with the reason. Numbers of ports are free ones here, and places of the
// machine (/etc, /run) are in the scratch folder.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../scripts/soak/port.ts";
import { commandLine } from "../../src/cli/main.ts";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { type Block, blocksOf, pages, templatePages } from "./support/blocks.ts";
import { assertShown, beside, pattern, step, type Where } from "./support/session.ts";

/** Pages whose commands other tests run, with more than this one knows of them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "README.md": "readme.test.ts runs them, from the clone on",
  "CONTRIBUTING.md": "they are the README's, which readme.test.ts runs",
  "docs/adding-an-os.md": "they run parts of the suite in the repository, with its Node",
  "docs/compression.md": "compression.test.ts",
  "docs/http2.md": "http2.test.ts",
  "docs/operations.md": "operations.test.ts",
  "docs/proxy.md": "proxy.test.ts",
  "docs/static.md": "static.test.ts",
  "docs/windows.md": "they make a Debian with Wine of 2 GB, in minutes and as root",
};

/** Commands that are not run, by what they contain. */
const NOT_RUN: readonly (readonly [part: string, why: string])[] = [
  ["deno run", "Deno is no part of this machine: test/deno runs the library under it"],
  ["codesign ", "macOS has it; test/bundle/macho.test.ts checks what it would sign again"],
  ["osslsigncode ", "needs somebody's certificate; test/bundle/pe.test.ts signs with one of its own"],
  ["--target linux-x64,linux-arm64", "needs the pack of other systems' bases: test/bundle has one of its own"],
  ["npm run bench", "measures for minutes: test/bench asks each question once"],
  ["npm run idle", "measures for minutes, with 15,000 connections"],
  ["--perf-basic-prof", "perf(1) needs a kernel that lets it"],
  ["perf record", "perf(1) needs a kernel that lets it"],
  ["perf script", "perf(1) needs a kernel that lets it"],
  ["docker ", "a container needs a daemon; test/templates looks at the files"],
  ["nc localhost", "somebody types there; test/templates talks to it"],
  ["--pid 4711", "the number is somebody else's process: test/check/live/drain.test.ts"],
  ["slipway check unix:", "takes 2 min 20 s: test/check/live has the same attacks"],
  ["slipway check https:", "takes 2 min 20 s: test/check/live has the same attacks"],
  [
    "slipway check http://localhost:8000 --verbose",
    "takes 2 min 20 s: test/check/live/judge.test.ts shows what it prints",
  ],
  ["slipway check http://localhost:8000 --json", "takes 2 min 20 s: test/check/live/servers.test.ts reads it"],
  ["slipway check http://localhost:8000 ", "takes 2 min 20 s: test/check/live has the same attacks"],
];
const reasonFor = (command: string): string | undefined => {
  if (/^slipway check .*--quick/.test(command)) return undefined;
  return NOT_RUN.find(([part]) => `${command} `.includes(part))?.[1];
};

/** Exit codes other than 0. */
const CODES: Readonly<Record<string, readonly number[]>> = {
  "slipway upgrade": [1],
  // 1 where other clients waited too long in a flood, which on a busy machine they do.
  "slipway check http://localhost:8000 --quick": [0, 1],
  // 1 where something keeps servers from running here, which is the machine's affair.
  "slipway doctor": [0, 1],
  "slipway doctor --json": [0, 1],
};

/** Files that a page's commands speak of. */
const PROJECT: Readonly<Record<string, string>> = {
  "server.ts": 'export default { fetch: () => new Response("hello\\n") };\n',
  "tool.ts": "console.log(Deno.args.join());\n",
  "main.ts": 'console.log("main");\n',
  "jobs.ts": "export const jobs: string[] = [];\n",
  "lib/more.ts": "export const more = 1;\n",
  "public/page.html": "<h1>shop</h1>\n",
  ".env": "COLOUR=green\n",
  "test.env": "COLOUR=red\n",
  "etc/shop.env": "COLOUR=blue\n",
  "server_test.ts": 'Deno.test("answers", () => {});\n',
  "parse_bench.ts": 'Deno.bench("url", () => void new URL("http://x/"));\n',
  "our-template/package.json": '{"name":"__NAME__"}\n',
  "node_modules/our-template/package.json": '{"name":"__NAME__"}\n',
};

const binary = await slipwayBinary();
const PORTS = [8000, 8080, 8443, 9090, 9229, 9333, 3000, 443, 80];
/** As far as they are needed before the first block that has them. */
const TOOLS = ["curl", "openssl", "python3", "nc", "gzip"];
const has = (tool: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** What is rewritten before a block is run. */
interface Here extends Where {
  readonly rewrite: (text: string) => string;
}

/** The machine's tools without what runs JavaScript, which stands beside them where it is installed. */
const tools = temporaryFolder();
for (const folder of (process.env.PATH ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"))) {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (/^(?:node|npm|npx|deno|bun|xdg-open|slipway)$/.test(name) || existsSync(join(tools, name))) continue;
    symlinkSync(join(folder, name), join(tools, name));
  }
}

async function scratch(binary: string): Promise<Here> {
  const cwd = temporaryFolder();
  const ports = new Map<string, string>();
  for (const port of PORTS) ports.set(String(port), String(await freePort()));
  return {
    cwd,
    env: {
      PATH: [dirname(binary), tools].join(delimiter),
      HOME: join(cwd, "home"),
      XDG_STATE_HOME: undefined,
      SLIPWAY_PORT: ports.get("8000"),
      NODE_OPTIONS: undefined,
      NODE_COMPILE_CACHE: undefined,
    },
    rewrite: (text) =>
      text
        .replaceAll(/(?<![\d.])(8000|8080|8443|9090|9229|9333|3000)(?![\d.])/g, (port) => ports.get(port) ?? port)
        .replaceAll(/(?<=--port |localhost:|:)(443|80)(?=[ /]|$)/gm, (port) => ports.get(port) ?? port)
        .replaceAll(/--inspect(-wait|-brk)?(?![\w=-])/g, (flag) => `${flag}=127.0.0.1:${ports.get("9229")}`)
        .replaceAll(/(?<=[=: ])\/(etc|run)\//g, `${cwd}/$1/`)
        .replaceAll("/home/you", join(cwd, "home")),
  };
}

interface Step {
  readonly command: string;
  /** What the page shows of it; "" for nothing. */
  readonly output: string;
}

/** `sh` blocks have a command a line and remarks behind it, `console` blocks `$ ` and what comes. */
function stepsOf({ language, text }: Block): Step[] {
  if (language === "console") {
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command, ...output] = part.split("\n");
        return { command, output: output.join("\n") };
      });
  }
  return text
    .split("\n")
    .map((line) => ({ command: line.replace(/(?:^|\s+)#\s.*$/, ""), output: "" }))
    .filter(({ command }) => command.trim() !== "");
}

let compiled: string | undefined;

/** The executable of the page's project, made once. */
async function shop(binary: string): Promise<string> {
  if (compiled !== undefined) return compiled;
  const folder = temporaryFolder();
  writeFileSync(join(folder, "server.ts"), PROJECT["server.ts"]);
  const made = await run([binary, "compile", "server.ts", "-o", "shop"], { cwd: folder });
  assert.is(made.code, 0, made.stderr);
  return (compiled = join(folder, "shop"));
}

async function prepare(steps: readonly Step[], binary: string, { cwd }: Where, page: string): Promise<void> {
  const all = steps.map(({ command }) => command).join("\n");
  for (const [name, text] of Object.entries(PROJECT)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }
  mkdirSync(join(cwd, "run"));
  mkdirSync(join(cwd, "home"));
  if (/run \.\/shop/.test(all)) {
    mkdirSync(join(cwd, "shop"));
    writeFileSync(join(cwd, "shop/server.ts"), PROJECT["server.ts"]);
  } else if (/^(?:[A-Z_]+=\S+ )?\.\/shop/m.test(all)) linkSync(await shop(binary), join(cwd, "shop"));
  for (const { language, text } of blocksOf(page)) {
    const [, name] = (language === "ts" && /^\/\/ (\S+\.ts)\n/.exec(text)) || [];
    if (name !== undefined) writeFileSync(join(cwd, name), text);
  }
  if (!all.includes("--tls-cert")) return;
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"];
  execFileSync("openssl", ["req", "-x509", ...key, ...subject, "-out", "cert.pem"], { cwd, stdio: "ignore" });
  for (const [from, to] of [
    "cert.pem a.pem",
    "key.pem a-key.pem",
    "cert.pem b.pem",
    "key.pem b-key.pem",
    "cert.pem clients.pem",
  ].map((two) => two.split(" ")))
    cpSync(join(cwd, from), join(cwd, to));
}

/** One block in a folder of its own, beside the server that it asks where it starts none. */
async function runBlock(page: string, steps: readonly Step[]): Promise<void> {
  const here = await scratch(binary);
  await prepare(steps, binary, here, page);
  const asks = steps.some(({ command }) => /^(?:curl|slipway check http)/.test(command));
  const own = steps.some(({ command }) => /^slipway run .*&\s*$/.test(command));
  const admin = page === "docs/live.md" ? " --admin 127.0.0.1:9090" : "";
  const end = asks && !own ? await beside(here.rewrite(`slipway run server.ts${admin}`), here) : undefined;
  await runSteps(steps, here);
  await end?.();
}

/** What the block leaves running, `&`, until its end. */
async function runSteps(steps: readonly Step[], here: Here): Promise<void> {
  const running: (() => Promise<void>)[] = [];
  try {
    for (const { command: written, output } of steps) {
      // Where the defaults are what is shown, nothing is said of the port.
      const config = written.includes("--print-config");
      const [command, shown] = config ? [written, output] : [here.rewrite(written), here.rewrite(output)];
      const where = config ? { ...here, env: { ...here.env, SLIPWAY_PORT: undefined } } : here;
      // Each of these lines makes the same.
      if (/^slipway new shop/.test(command)) rmSync(join(here.cwd, "shop"), { recursive: true, force: true });
      if (/&\s*$/.test(command)) {
        running.push(await beside(command.replace(/&\s*$/, ""), here, /^(?:Listening on|Serving HTTP on)/m));
        continue;
      }
      const until = shown.trim() === "" ? undefined : new RegExp(pattern(shown.trim(), false).source, "m");
      const ran = await step(command, where, until, command.startsWith("slipway check http") ? 60 : 30);
      assertShown(command, shown, ran);
      const codes: readonly (number | null)[] = ran.served ? [0, 130, 255, null] : (CODES[written.trim()] ?? [0]);
      assert.ok(codes.includes(ran.code), `${written}\nended with ${ran.code}\n${ran.output}`);
    }
  } finally {
    for (const end of running) await end();
  }
}

const missing = new Set(TOOLS.filter((tool) => !has(tool)));
const used = new Set<string>();

// The attacks of `slipway check URL` wait for half a minute, so they begin first and are asked last.
const patientLast = (page: string): number => Number(page === "docs/check-live.md");
for (const page of pages.toSorted((a, b) => patientLast(a) - patientLast(b))) {
  const shell = blocksOf(page).filter(({ language }) => language === "sh" || language === "console");
  if (shell.length === 0) continue;
  const test = suite(page);
  for (const block of shell) {
    const name = `line ${block.line}`;
    const ofOwn = ELSEWHERE[page];
    if (ofOwn !== undefined && !(page === "docs/operations.md" && block.language === "sh")) {
      used.add(page);
      continue;
    }
    const steps = stepsOf(block).filter(({ command }) => {
      const reason = reasonFor(command);
      for (const [part] of NOT_RUN) if (reason !== undefined && `${command} `.includes(part)) used.add(part);
      return reason === undefined;
    });
    const needs = TOOLS.find((tool) => missing.has(tool) && steps.some(({ command }) => command.startsWith(tool)));
    if (needs !== undefined) skip(test, name, `there is no ${needs}`);
    else if (steps.length > 0) {
      const patient = steps.some(({ command }) => command.includes("--quick"));
      const begun = patient ? runBlock(page, steps).catch((error: unknown) => error) : undefined;
      test(name, async () => {
        if (begun === undefined) return runBlock(page, steps);
        const error = await begun;
        if (error !== undefined) throw error;
      });
    }
  }
  test.run();
}

/** A template's own README, in the project that is made of it. */
for (const page of templatePages) {
  const template = page.split("/")[1];
  if (template === "deploy") {
    used.add("docker ");
    continue;
  }
  const test = suite(page);
  test("its commands", async () => {
    const here = await scratch(binary);
    const made = await step(`slipway new shop --template ${template}`, here);
    assert.is(made.code, 0, made.output);
    const project = { ...here, cwd: join(here.cwd, "shop") };
    const text = readFileSync(join(project.cwd, "README.md"), "utf8");
    assert.not.match(text, /__[A-Z]+__/);
    for (const [, code] of text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)) {
      const steps = stepsOf({ page, line: 0, language: "sh", text: code }).filter(({ command }) => {
        const reason = reasonFor(command);
        for (const [part] of NOT_RUN) if (reason !== undefined && command.includes(part)) used.add(part);
        return reason === undefined && !TOOLS.some((tool) => missing.has(tool) && command.startsWith(tool));
      });
      const asks = steps.some(({ command }) => command.startsWith("curl"));
      const upstreams = template === "proxy" ? "UPSTREAMS=http://127.0.0.1:3000 " : "";
      const end = asks ? await beside(here.rewrite(`${upstreams}slipway run server.ts`), project) : undefined;
      await runSteps(steps, project);
      await end?.();
    }
  });
  test.run();
}

const help = suite("the examples of help");
for (const verb of ["", ...commandLine([]).commands.map((command) => command.name())]) {
  help(`slipway help ${verb}`, async () => {
    const here = await scratch(binary);
    const { output } = await step(`slipway help ${verb}`, here);
    const steps = (/^Examples:\n([\s\S]*)/m.exec(output)?.[1] ?? "")
      .split("\n")
      .map((line) => ({ command: line.trim(), output: "" }))
      .filter(({ command }) => command !== "" && reasonFor(command) === undefined);
    assert.ok(steps.length > 0, output);
    for (const [part] of NOT_RUN) if (output.includes(part)) used.add(part);
    if (verb !== "new") {
      await prepare(steps, binary, here, "docs/2-run.md");
      if (verb === "") rmSync(join(here.cwd, "shop"), { recursive: true, force: true });
      return runSteps(steps, here);
    }
    // Each in an empty folder, as one of them wants it.
    for (const one of steps) await runSteps([one], { ...here, cwd: temporaryFolder() });
  });
}
help("a compiled server's", async () => {
  const here = await scratch(binary);
  await prepare([{ command: "./shop", output: "" }], binary, here, "docs/2-run.md");
  const { output } = await step("./shop --help", here);
  const steps = (/^Examples:\n([\s\S]*)/m.exec(output)?.[1] ?? "").trim().split("\n");
  assert.is(steps.length, 3);
  // Its own name, as it was called: somebody has put it on the PATH.
  await runSteps(
    steps.map((line) => ({ command: `./${line.trim()}`, output: "" })),
    here,
  );
});
help.after(endProcesses);
help.run();

const tables = suite("what is not run");
tables("is still there", () => {
  for (const page of Object.keys(ELSEWHERE)) assert.ok(used.has(page), `${page} has no commands any more`);
  for (const [part] of NOT_RUN) assert.ok(used.has(part), `no page has ${part} any more`);
});
// Only here: others run meanwhile.
tables.after(endProcesses);
tables.run();
