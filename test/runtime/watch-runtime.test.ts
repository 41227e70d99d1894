/** What looks after a server, as people meet it: under `slipway run`, and in an executable. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, fromSource, run, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";
import { skip } from "../support/skip.ts";

const test = suite("a server that is looked after");

const folder = project({
  "server.ts": `
import { go, type ServeHandlerInfo } from "slipway";

interface Padding { readonly soThatLinesMove: true }

function crunch(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}
export default {
  async fetch(request: Request, info: ServeHandlerInfo): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/crunch") {
      await null;
      crunch(300);
    }
    if (pathname === "/pump") go("pump", () => new Promise(() => {}));
    if (pathname === "/info") info.go("told", () => new Promise(() => {}));
    if (pathname === "/heir") {
      await new Promise((resolve) => setTimeout(resolve, 1));
      go("heir", (signal) => {
        console.log("heir began");
        signal.addEventListener("abort", () => console.log("heir ends: " + signal.reason));
        return new Promise(() => {});
      });
      await new Promise(() => {});
    }
    return new Response(pathname);
  },
};
`,
});
const address = ["--host", "127.0.0.1", "--port", "0", "--stall-warning", "100ms"];

async function check(command: readonly string[], file: RegExp): Promise<void> {
  const server = await startServer([...command, ...address, "--trace-stalls", "--trace-tasks"], { cwd: folder });
  const get = async (path: string, signal?: AbortSignal) => (await fetch(`${server.url}${path}`, { signal })).text();

  const line = new RegExp(String.raw`"by":"GET /crunch","at":"crunch \(${file.source}:7:\d+\)"`);
  for (let i = 0; i < 10 && !line.test(server.stderr()); i++) {
    await get("/crunch?token=1");
    await get("/");
  }
  assert.match(server.stderr(), line);

  const controller = new AbortController();
  get("/heir", controller.signal).catch(() => {});
  await server.saw(/heir began/);
  controller.abort();
  await server.saw(/heir ends: AbortError/);

  await get("/pump");
  await get("/info");
  server.child.kill("SIGUSR1");
  await server.saw(new RegExp(String.raw` pump, started at \S*fetch \(${file.source}:16:\d+\)`));
  await server.saw(new RegExp(String.raw` told, started at \S*fetch \(${file.source}:17:\d+\)`));
  assert.is(await get("/"), "/");
  const { stderr } = await server.stop("SIGKILL");
  assert.not.match(stderr, /Debugger|token=1/);
}

if (process.platform === "win32") {
  skip(test, "stalls, tasks and SIGUSR1", "Windows has no SIGUSR1");
} else {
  test("under slipway run", () => check([...fromSource, "run", "server.ts"], /\/\S*\/server\.ts/));

  test("compiled", async () => {
    const output = join(folder, "app");
    const made = await run([await slipwayBinary(), "compile", "server.ts", "-o", output], { cwd: folder });
    assert.is(made.code, 0, made.stderr);
    await check([output], /server\.ts/);
  });
}

test.after(endProcesses);
test.run();
