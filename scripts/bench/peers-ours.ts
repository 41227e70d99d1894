// Ours, in the ways that it runs: from source, on either poller, on two threads,
// compiled, and as a bare HTTP server.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { certificate, inRoot, type Peer, root, withEnvironment, writeHandler } from "./peer.ts";
import type { Handlers } from "./question.ts";

interface Way {
  readonly name: string;
  /** The checkout that it runs from. */
  readonly root?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly optional?: boolean;
}

/** `slipway run` from source, with the Node that runs the bench. */
export function slipwayPeer({ name, root: from = root, environment, args = [], optional }: Way): Peer {
  return {
    name,
    optional,
    version: revision,
    launch(handlers, directory) {
      const handler = writeHandler(handlers, directory);
      const cli = join(from, "src/cli/main.ts");
      if (!existsSync(cli)) return { missing: "src/cli/main.ts does not exist there" };
      return {
        command(port) {
          const command = [
            process.execPath,
            cli,
            "run",
            handler,
            "--host",
            "127.0.0.1",
            "--port",
            String(port),
            ...tls(handlers),
            ...args,
          ];
          return environment ? withEnvironment(environment, command) : command;
        },
      };
    },
  };
}

function tls(handlers: Handlers): string[] {
  const { cert, key } = certificate(handlers);
  return handlers.tls ? ["--tls-cert", cert, "--tls-key", key] : [];
}

function revision(): string {
  try {
    return execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

/** Our HTTP server without the command line around it: for tuning. */
const http: Peer = {
  name: "http",
  applies: ({ tls }) => tls === undefined,
  launch(handlers, directory) {
    const handler = writeHandler(handlers, directory);
    return { command: (port) => [process.execPath, inRoot("scripts/bench/peers/serve.ts"), handler, String(port)] };
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
    return { command: (port) => [server, "--host", "127.0.0.1", "--port", String(port), ...tls(handlers)] };
  },
};

export const ours: readonly Peer[] = [
  slipwayPeer({ name: "slipway" }),
  slipwayPeer({ name: "slipway-uring", environment: { SLIPWAY_POLLER: "uring" }, optional: true }),
  slipwayPeer({ name: "slipway-epoll", environment: { SLIPWAY_POLLER: "epoll" }, optional: true }),
  slipwayPeer({ name: "slipway-2", args: ["--parallel", "2"], optional: true }),
  executable,
  http,
];
