/**
 * Makes the base's code cache: runs the runtime as an executable of ours would, lets it serve a few requests, and
 * keeps what V8 compiled meanwhile. src/bundle/make-base.ts starts this under the very Node that the base is made of, with
 * a payload behind it, in a directory that holds the assets as files.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { Script } from "node:vm";
import { BASE_SCRIPT, CODE_CACHE } from "../src/bundle/base-script.ts";

const getBuiltinModule = process.getBuiltinModule;
const sea = {
  isSea: () => true,
  getAsset: (name: string) => readFileSync(name, "utf8"),
  getRawAsset: (name: string) => new Uint8Array(readFileSync(name)).buffer,
};
process.getBuiltinModule = ((name: string) =>
  name === "node:sea" ? sea : getBuiltinModule(name)) as typeof getBuiltinModule;

const script = new Script(sea.getAsset(BASE_SCRIPT), { filename: BASE_SCRIPT, lineOffset: -1 });
const module = { exports: {} as { start(): Promise<void> } };
script.runInThisContext()(process.getBuiltinModule, module, module.exports);

process.argv.splice(2, process.argv.length, "--port", "0", "--host", "127.0.0.1");
const shown: string[] = [];
const fs = getBuiltinModule("node:fs");
const { writeSync } = fs;
// The line that tells the port.
fs.writeSync = ((fd: number, text: string | Uint8Array, ...rest: []) =>
  fd === 2 && typeof text === "string"
    ? shown.push(text)
    : writeSync(fd, text as Uint8Array, ...rest)) as typeof writeSync;
await module.exports.start();
const port = Number(/:(\d+)/.exec(shown.join(""))?.[1]);

const json = '{"a":1}';
for (const requests of [
  "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET /text?q=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nUser-Agent: warm\r\n\r\n",
  `POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
]) {
  // Twice on one connection, then the end: what every server does.
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(requests));
    let answers = 0;
    socket.on("data", () => (++answers === 1 ? socket.write(requests) : socket.end()));
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}
writeFileSync(CODE_CACHE, script.createCachedData());
process.exit();
