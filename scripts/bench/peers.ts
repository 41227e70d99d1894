// Who is compared: how each peer is found and started with a question's handler.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compiled } from "./compiler.ts";
import type { Handlers } from "./question.ts";

/** The command that serves the handler on a loopback port, or why there is none. */
export type Launch = { readonly command: (port: number) => string[] } | { readonly missing: string };

export interface Peer {
  readonly name: string;
  launch(handlers: Handlers, directory: string): Launch;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const inRoot = (path: string): string => join(root, path);

/** The same fetch handler as a module that ours takes as it is. */
export function writeHandler(handlers: Handlers, directory: string): string {
  return write(directory, "handler.mjs", `const handler = ${handlers.fetch};\nexport default { fetch: handler };\n`);
}

function write(directory: string, name: string, text: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const slipway: Peer = {
  name: "slipway",
  launch(handlers, directory) {
    const handler = writeHandler(handlers, directory);
    const cli = inRoot("src/cli/main.ts");
    if (existsSync(cli)) {
      return {
        command: (port) => [process.execPath, cli, "run", handler, "--host", "127.0.0.1", "--port", String(port)],
      };
    }
    return http.launch(handlers, directory);
  },
};

/** Our HTTP server without the command line around it: for tuning, and while there is no command line. */
const http: Peer = {
  name: "http",
  launch(handlers, directory) {
    const handler = writeHandler(handlers, directory);
    if (!existsSync(inRoot("src/http/mod.ts"))) return { missing: "src/http/mod.ts does not exist yet" };
    return { command: (port) => [process.execPath, inRoot("scripts/bench/peers/serve.ts"), handler, String(port)] };
  },
};

const node: Peer = {
  name: "node",
  launch(handlers, directory) {
    const file = write(
      directory,
      "node.mjs",
      `import { createServer } from "node:http";\nconst handler = ${handlers.node};\n` +
        // Its own 5 s (and Bun's 10 s below) would close the very connections that the idle question counts.
        `createServer({ keepAliveTimeout: 600_000 }, handler).listen(Number(process.argv[2]), "127.0.0.1", 4096);\n`,
    );
    return { command: (port) => [process.execPath, file, String(port)] };
  },
};

const deno: Peer = {
  name: "deno",
  launch(handlers, directory) {
    const platforms: Record<string, string> = {
      "linux-x64": "linux-x64-glibc",
      "linux-arm64": "linux-arm64-glibc",
      "darwin-x64": "darwin-x64",
      "darwin-arm64": "darwin-arm64",
      "win32-x64": "win32-x64",
    };
    const program = npmBinary("@deno", platforms[`${process.platform}-${process.arch}`], "deno");
    if (!program) return { missing: "its npm package has no program for this platform" };
    const file = write(
      directory,
      "deno.mjs",
      `const handler = ${handlers.fetch};\n` +
        `Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, handler);\n`,
    );
    return { command: (port) => [program, "run", "-A", "--no-config", "--no-lock", file, String(port)] };
  },
};

const bun: Peer = {
  name: "bun",
  launch(handlers, directory) {
    const system = process.platform === "win32" ? "windows" : process.platform;
    const arch = process.arch === "arm64" ? "aarch64" : process.arch;
    // Where npm runs install scripts (npm 10 has no say in it), Bun's moves the program into its own package.
    const program = npmBinary("@oven", `bun-${system}-${arch}`, "bin/bun") ?? npmFile("bun/bin/bun.exe");
    if (!program) return { missing: "its npm package has no program for this platform" };
    const file = write(
      directory,
      "bun.mjs",
      `const handler = ${handlers.fetch};\n` +
        `Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", idleTimeout: 0, fetch: handler });\n`,
    );
    return { command: (port) => [program, "run", file, String(port)] };
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

/** The handler compiled to one executable by dist/slipway. */
const executable: Peer = {
  name: "compiled",
  launch(handlers, directory) {
    const program = inRoot("dist/slipway");
    if (!existsSync(program)) return { missing: "dist/slipway does not exist; npm run build makes it" };
    const handler = writeHandler(handlers, directory);
    const server = join(directory, "server");
    const run = spawnSync(program, ["compile", handler, "-o", server], { encoding: "utf8", timeout: 60_000 });
    if (run.status !== 0)
      return { missing: `slipway compile failed: ${(run.stderr || run.error?.message) ?? ""}`.trim() };
    return { command: (port) => [server, "--host", "127.0.0.1", "--port", String(port)] };
  },
};

const c: Peer = {
  name: "c",
  launch(handlers) {
    const mode = handlers.c;
    if (!mode) return { missing: "the C loop has no mode for this question" };
    const program = compiled("epoll");
    if (!program) return { missing: "no C compiler here (cc, gcc or clang), or no epoll" };
    return { command: (port) => [program, mode, String(port)] };
  },
};

// The install scripts of both packages may be blocked, so the platform package's own file is taken.
function npmBinary(scope: string, platform: string | undefined, path: string): string | null {
  if (!platform) return null;
  return npmFile(`${scope}/${platform}/${path}${process.platform === "win32" ? ".exe" : ""}`);
}

function npmFile(path: string): string | null {
  const file = inRoot(`node_modules/${path}`);
  return existsSync(file) ? file : null;
}

export const peers: readonly Peer[] = [slipway, http, executable, node, commonjs, deno, bun, c];

/** Who is asked when nobody is named. */
export const usualPeers: readonly string[] = ["slipway", "node", "deno", "bun", "c"];

/** `name=command`: a server of one's own, with `{port}` and perhaps `{handler}` (a module with a fetch export). */
export function commandPeer(spec: string): Peer {
  const at = spec.indexOf("=");
  const name = spec.slice(0, at);
  const line = spec.slice(at + 1);
  if (at < 1 || !line.includes("{port}")) throw new Error(`--cmd ${spec}: write name='command with {port}'`);
  return {
    name,
    launch(handlers, directory) {
      const handler = writeHandler(handlers, directory);
      return {
        command: (port) => ["sh", "-c", line.replaceAll("{port}", String(port)).replaceAll("{handler}", handler)],
      };
    },
  };
}
