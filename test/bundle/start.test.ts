// time limit: 60 s
/** What a start costs, where that can be counted: what is loaded before the first answer, and V8's code cache. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { run, start } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("start of a compiled server");
const slipway = await slipwayBinary();

const folder = project({
  "server.ts": `
    const get = process.getBuiltinModule;
    const { Script } = get("node:vm");
    const sea = get("node:sea");
    function cache() {
      const asset = sea.getRawAsset("code cache") as ArrayBuffer;
      const cachedData = new Uint8Array(asset, new Uint8Array(asset)[0], asset.byteLength - 8);
      const source = sea.getAsset("slipway.cjs", "utf8");
      const { cachedDataRejected } = new Script(source, { filename: "slipway.cjs", lineOffset: -1, cachedData });
      return { cachedDataRejected, begins: Buffer.from(cachedData).toString("hex", 0, 64) };
    }
    const load = () => (process as unknown as { moduleLoadList: string[] }).moduleLoadList.slice();
    export default {
      fetch(request: Request) {
        return Response.json(request.url.endsWith("/cache") ? cache() : load());
      },
    };
  `,
  // The least that a single executable loads: what Node itself does.
  "empty.cjs": `console.log(JSON.stringify(process.moduleLoadList));`,
});
const server = join(folder, "server");
const compiled = await run([slipway, "compile", join(folder, "server.ts"), "-o", server], { cwd: folder });
assert.is(compiled.code, 0, compiled.stderr);

async function asked(path: string): Promise<unknown> {
  // The monitor of stalls begins after the start, which on a busy machine may be before the first answer.
  const words = [server, "--port", "0", "--host", "127.0.0.1", "--stall-warning", "none"];
  const started = start(words, { cwd: folder });
  const [, port] = await started.saw(/Listening on http:\/\/[^\s]*?:(\d+)/);
  const answer = await (await fetch(`http://127.0.0.1:${port}${path}`)).json();
  await started.stop();
  return answer;
}

test("before the first answer nearly nothing of Node's is loaded that its own start has not loaded", async () => {
  const plain = new Set<string>(JSON.parse((await run([process.execPath, join(folder, "empty.cjs")])).stdout));
  const more = ((await asked("/")) as string[]).filter(
    (name) => !plain.has(name) && !/^NativeModule internal\/main\//.test(name),
  );
  // Where /dev/shm may not hold native code, koffi's is put into memory by a call through node:ffi.
  const expected = /^(Internal Binding (sea|signal_wrap|ffi)|NativeModule (sea|vm|ffi|internal\/ffi.*))$/;
  assert.equal(
    more.filter((name) => !expected.test(name)),
    [],
  );
});

test("V8 takes the code cache, which lies where it need not be copied", async () => {
  const { cachedDataRejected, begins } = (await asked("/cache")) as { cachedDataRejected: boolean; begins: string };
  assert.is(cachedDataRejected, false);
  assert.is(readFileSync(server).indexOf(Buffer.from(begins, "hex")) % 8, 0);
});

test.run();
