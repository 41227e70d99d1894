// time limit: 540 s
// The README's commands, run as written, line by line: `<!-- run: clone -->` marks the block that begins with a clone,
// `<!-- run: binary -->` the one that needs nothing but the binary on the PATH, `<!-- run: production -->` what follows it
// in the same folder.
//
// A line that serves is recognised by where it says that it serves; it must answer there with 200, and is then ended
// with Ctrl-C. The clone comes from this repository's HEAD instead of the address in the README. The suite that the
// README's `npm test` runs is a short one, or this test would run itself.
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const readme = readFileSync(join(repository, "README.md"), "utf8");
const nested = process.env.SLIPWAY_TEST_FILTER !== undefined;

/** The lines of the block behind a mark. */
function block(mark: string): string[] {
  const found = new RegExp(`<!-- run: ${mark} -->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(readme);
  assert.ok(found, `README.md has no block marked <!-- run: ${mark} -->`);
  return found[1].split("\n").filter((line) => line.trim() !== "");
}

/** Runs lines in bash, each in the folder where the one before left off. */
async function runLines(
  lines: readonly string[],
  folder: string,
  env: Record<string, string | undefined>,
): Promise<string> {
  let cwd = folder;
  for (const line of lines) {
    const [command, comment = ""] = line.split(/\s+#\s/);
    const port = servedPort(command, comment);
    if (port !== undefined) {
      await serves(command, port, cwd, env);
      continue;
    }
    const { code, stdout, stderr } = await run(["bash", "-ec", `${command}\npwd > "$SLIPWAY_README_PWD"`], {
      cwd,
      env: { ...env, SLIPWAY_README_PWD: join(folder, ".pwd") },
      timeoutSeconds: 300,
    });
    assert.is(code, 0, `${line}\n${stdout}${stderr}`);
    if (command.includes("npm test")) assert.match(stdout, /\n[1-9]\d* passed, 0 failed\n$/);
    cwd = readFileSync(join(folder, ".pwd"), "utf8").trim();
  }
  return cwd;
}

/** The port that a line says it serves on, in its comment or by its flag. */
function servedPort(command: string, comment: string): number | undefined {
  const port = /http:\/\/localhost:(\d+)/.exec(comment)?.[1] ?? /--port (\d+)/.exec(command)?.[1];
  return port === undefined ? undefined : Number(port);
}

async function serves(
  command: string,
  port: number,
  cwd: string,
  env: Record<string, string | undefined>,
): Promise<void> {
  // Somebody else's server on this machine is not ours to stop: wait for it.
  for (let tries = 0; (await answers(port)) && tries < 600; tries++) await new Promise((next) => setTimeout(next, 100));
  // A group of its own, as a terminal gives it, so that Ctrl-C reaches all of it.
  const server = start(["setsid", "bash", "-ec", command], { cwd, env });
  await server.saw(/Listening on http:\/\/localhost:\d+\//, 180);
  const response = await fetch(`http://localhost:${port}/`);
  assert.is(response.status, 200, command);
  await response.text();
  process.kill(-(server.child.pid ?? 0), "SIGINT");
  await server.finished;
  assert.not.ok(await answers(port), `${command} still answers after Ctrl-C`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

const tests = suite("README");
const isClone = existsSync(join(repository, ".git"));

if (nested) skip(tests, "the clone's commands", "this is the suite that the README's own npm test runs");
else if (!isClone) skip(tests, "the clone's commands", "this is no git repository, nothing can be cloned");
else {
  tests("the commands from the clone to the binary", async () => {
    const folder = temporaryFolder();
    const lines = block("clone");
    const address = /git clone (\S+)/.exec(lines[0])?.[1] ?? "";
    assert.ok(address, "the block begins with a clone");
    const end = await runLines(lines, folder, {
      // As on a bare machine: none of our own node_modules, which the runner puts on the PATH.
      PATH: (process.env.PATH ?? "")
        .split(delimiter)
        .filter((entry) => !entry.includes("node_modules"))
        .join(delimiter),
      NODE_OPTIONS: undefined,
      // What our own npm install brought is in npm's cache; whether it has become insecure is not the question here.
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      GIT_CONFIG_COUNT: "2",
      GIT_CONFIG_KEY_0: `url.${repository}.insteadOf`,
      GIT_CONFIG_VALUE_0: address,
      GIT_CONFIG_KEY_1: "safe.directory",
      GIT_CONFIG_VALUE_1: "*",
      SLIPWAY_TEST_FILTER: "test/cli/address,test/cli/suggestions,test/net/ip",
    });
    assert.ok(existsSync(join(end, "dist/slipway")));
  });
}

tests("the commands of the binary, with nothing else on the machine's PATH", async () => {
  const binary = await slipwayBinary();
  const folder = temporaryFolder();
  // bash and coreutils are there, Node and npm are not.
  const env = { PATH: `${dirname(binary)}:${folder}/bin`, HOME: undefined, NODE_OPTIONS: undefined };
  await run(["bash", "-c", `mkdir bin && for tool in bash setsid pwd; do ln -s "$(command -v $tool)" bin/; done`], {
    cwd: folder,
  });
  const project = await runLines(block("binary"), folder, env);
  await runLines(block("production"), project, env);
});

tests.after(endProcesses);
tests.run();
