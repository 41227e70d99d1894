// The others: Node, Deno, Bun and Go as their documentation starts them, and the C
// programs below which no server gets. Those with -2 use two cores, each in its
// runtime's own way.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { compiled, goCompiler } from "./compiler.ts";
import { certificate, npmFile, npmVersion, type Peer, prelude, withEnvironment, write } from "./peer.ts";
import type { CMode, Handlers } from "./question.ts";

/** node:http; `file` starts it, with the port as its argument. */
function nodeProgram(handlers: Handlers, directory: string): string {
  if (handlers.tls) return nodeTlsProgram(handlers, directory);
  return write(
    directory,
    "node.mjs",
    `import { createServer } from "node:http";\n${prelude(handlers)}const handler = ${handlers.node};\n` +
      // Its own 5 s (and Bun's 10 s below) would close the very connections that the idle question counts.
      `createServer({ keepAliveTimeout: 600_000 }, handler).listen(Number(process.argv[2]), "127.0.0.1", 4096);\n`,
  );
}

/** node:https, or node:http2 where that is asked for: Node's server of both is slower in HTTP/1.1. */
function nodeTlsProgram(handlers: Handlers, directory: string): string {
  const [module, create] =
    handlers.tls === "h2" ? ["node:http2", "createSecureServer"] : ["node:https", "createServer"];
  return write(
    directory,
    "node-tls.mjs",
    `import { readFileSync } from "node:fs";\nimport { ${create} } from "${module}";\n` +
      `${prelude(handlers)}const handler = ${handlers.node};\n` +
      `${create}({ ${pemFiles("readFileSync", handlers)}, allowHTTP1: true }, handler).listen(Number(process.argv[2]), "127.0.0.1", 4096);\n`,
  );
}

/** `cert` and `key` of an object literal, by what reads files. */
function pemFiles(read: string, handlers: Handlers): string {
  const { cert, key } = certificate(handlers);
  return `cert: ${read}(${JSON.stringify(cert)}), key: ${read}(${JSON.stringify(key)})`;
}

const node: Peer = {
  name: "node",
  applies: ({ bunOptions }) => bunOptions === undefined,
  version: () => process.versions.node,
  launch(handlers, directory) {
    const file = nodeProgram(handlers, directory);
    return { command: (port) => [process.execPath, file, String(port)] };
  },
};

const node2: Peer = {
  name: "node-2",
  launch(handlers, directory) {
    nodeProgram(handlers, directory);
    const file = write(
      directory,
      "cluster.mjs",
      `import cluster from "node:cluster";\n` +
        `if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork();\nelse await import("./node.mjs");\n`,
    );
    return { command: (port) => [process.execPath, file, String(port)] };
  },
};

/** What the issue of start-up is measured against: the plainest server that the same Node can run. */
const commonjs: Peer = {
  name: "commonjs",
  launch(handlers, directory) {
    const file = write(
      directory,
      "server.cjs",
      `const handler = ${handlers.node};\n` +
        `require("node:http").createServer(handler).listen(Number(process.argv[2]), "127.0.0.1");\n`,
    );
    return { command: (port) => [process.execPath, file, String(port)] };
  },
};

const deno: Peer = {
  name: "deno",
  version: () => npmVersion("deno"),
  launch(handlers, directory) {
    const program = denoProgram();
    if (!program) return { missing: "its npm package has no program for this platform" };
    const file = write(
      directory,
      "deno.mjs",
      `${prelude(handlers)}const handler = ${handlers.fetch};\n` +
        `Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", ${handlers.tls ? `${pemFiles("Deno.readTextFileSync", handlers)}, ` : ""}onListen() {} }, handler);\n`,
    );
    return { command: (port) => [program, "run", "-A", "--no-config", "--no-lock", file, String(port)] };
  },
};

const deno2: Peer = {
  name: "deno-2",
  launch(handlers, directory) {
    const program = denoProgram();
    if (!program) return { missing: "its npm package has no program for this platform" };
    const file = write(
      directory,
      "serve.mjs",
      `${prelude(handlers)}const handler = ${handlers.fetch};\nexport default { fetch: handler };\n`,
    );
    const args = ["serve", "-A", "--no-config", "--no-lock", "--parallel", "--host", "127.0.0.1"];
    return {
      command: (port) => withEnvironment({ DENO_JOBS: "2" }, [program, ...args, "--port", String(port), file]),
    };
  },
};

function bunProgram(handlers: Handlers, directory: string, name: string, options: string, after = ""): string {
  // Its own server speaks HTTP/1.1 only; its node:http2 is what its users take.
  if (handlers.tls === "h2") return nodeTlsProgram(handlers, directory);
  if (handlers.tls) options += `tls: { ${pemFiles("Bun.file", handlers)} }, `;
  options += handlers.bunOptions ?? "";
  return write(
    directory,
    name,
    `${prelude(handlers)}const handler = ${handlers.bun ?? handlers.fetch};\n` +
      `Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", idleTimeout: 0, ${options}fetch: handler });\n${after}`,
  );
}

const bun: Peer = {
  name: "bun",
  version: () => npmVersion("bun"),
  launch(handlers, directory) {
    const program = bunExecutable();
    if (!program) return { missing: "its npm package has no program for this platform" };
    const file = bunProgram(handlers, directory, "bun.mjs", "");
    return { command: (port) => [program, "run", file, String(port)] };
  },
};

const bun2: Peer = {
  name: "bun-2",
  launch(handlers, directory) {
    const program = bunExecutable();
    if (!program) return { missing: "its npm package has no program for this platform" };
    const second =
      `if (!process.env.BENCH_SECOND) Bun.spawn([process.execPath, "run", import.meta.path, process.argv[2]], ` +
      `{ env: { ...process.env, BENCH_SECOND: "1" } });\n`;
    const file = bunProgram(handlers, directory, "bun-2.mjs", "reusePort: true, ", second);
    return { command: (port) => [program, "run", file, String(port)] };
  },
};

/** Go takes as many threads as it may use cores; a pinned one is one. */
function goPeer(name: string, threads: number | null): Peer {
  return {
    name,
    version: threads === null ? goVersion : undefined,
    applies: ({ go }) => go !== undefined,
    launch(handlers) {
      const { go } = handlers;
      if (!go) return { missing: "its server has no mode for this question" };
      const program = compiled("go");
      if (!program) return { missing: "no Go compiler here" };
      return {
        command(port) {
          const command = [program, go, String(port)];
          const environment: Record<string, string> = {};
          if (threads !== null) environment.GOMAXPROCS = String(threads);
          const { cert, key } = certificate(handlers);
          if (handlers.tls) Object.assign(environment, { BENCH_CERT: cert, BENCH_KEY: key });
          return withEnvironment(environment, command);
        },
      };
    },
  };
}

function goVersion(): string {
  const compiler = goCompiler();
  if (!compiler) return "";
  return /go(\d\S*)/.exec(execFileSync(compiler, ["version"], { encoding: "utf8" }))?.[1] ?? "";
}

const ringModes: readonly CMode[] = ["plaintext", "json", "close"];

function cPeer(name: string, ring: boolean): Peer {
  return {
    name,
    applies: ({ c }) => c !== null && (!ring || ringModes.includes(c)),
    optional: ring, // containers often forbid io_uring
    launch(handlers) {
      const mode = handlers.c;
      if (!mode || (ring && !ringModes.includes(mode))) return { missing: "the C loop has no mode for this question" };
      const program = compiled(!ringModes.includes(mode) ? "bodies" : ring ? "uring" : "epoll");
      if (!program) return { missing: "no C compiler here (cc, gcc or clang), or no epoll" };
      return { command: (port) => [program, mode, String(port)] };
    },
  };
}

export function denoProgram(): string | null {
  const platforms: Record<string, string> = {
    "linux-x64": "linux-x64-glibc",
    "linux-arm64": "linux-arm64-glibc",
    "darwin-x64": "darwin-x64",
    "darwin-arm64": "darwin-arm64",
    "win32-x64": "win32-x64",
  };
  return npmBinary("@deno", platforms[`${process.platform}-${process.arch}`], "deno");
}

function bunExecutable(): string | null {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  // Where npm runs install scripts (npm 10 has no say in it), Bun's moves the program into its own package.
  return npmBinary("@oven", `bun-${system}-${arch}`, "bin/bun") ?? npmFile("bun/bin/bun.exe");
}

// The install scripts of both packages may be blocked, so the platform package's own file is taken.
function npmBinary(scope: string, platform: string | undefined, path: string): string | null {
  if (!platform) return null;
  return npmFile(join(scope, platform, `${path}${process.platform === "win32" ? ".exe" : ""}`));
}

export const others: readonly Peer[] = [
  node,
  node2,
  commonjs,
  deno,
  deno2,
  bun,
  bun2,
  goPeer("go", null),
  goPeer("go-1", 1),
  goPeer("go-2", 2),
  cPeer("c", false),
  cPeer("c-uring", true),
];
