// What handlers need from outside: a file to send, a server to ask. Both are named
// by environment variables, which every server under test inherits.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "./compiler.ts";
import type { Question } from "./question.ts";
import { freePort, startServer } from "./server.ts";

/** A file of so many bytes, by the name of BENCH_FILE. */
export function withFile(bytes: number): NonNullable<Question["prepare"]> {
  return async (directory) => {
    const path = join(directory, "served.bin");
    writeFileSync(path, Buffer.alloc(bytes, "a"));
    process.env.BENCH_FILE = path;
    return async () => {
      delete process.env.BENCH_FILE;
    };
  };
}

/** A server that costs as little as one can, beside the load generator; BENCH_UPSTREAM is its address. */
export const withUpstream: NonNullable<Question["prepare"]> = async (directory, settings) => {
  const port = await freePort();
  const program = compiled("epoll");
  const portable = join(directory, "upstream.mjs");
  writeFileSync(
    portable,
    `import { createServer } from "node:http";
createServer((_request, response) => response.end("Hello, world!")).listen(${port}, "127.0.0.1", 4096);
`,
  );
  const command = program ? [program, "plaintext", String(port)] : [process.execPath, portable];
  const server = await startServer(command, port, settings.loadCore);
  process.env.BENCH_UPSTREAM = `http://127.0.0.1:${port}/`;
  return async () => {
    delete process.env.BENCH_UPSTREAM;
    await server.stop();
  };
};
