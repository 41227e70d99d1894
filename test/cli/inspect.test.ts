// `run --inspect`: a debugger finds the author's TypeScript through the source map, as Chrome and VS Code look for it.
import { mkdirSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inspectAsked } from "../../src/cli/dev/inspect-flags.ts";
import { endProcesses, fromSource, run, type Started, start, temporaryFolder } from "../support/process.ts";

test.after(endProcesses);

const folder = temporaryFolder();
mkdirSync(join(folder, "lib"));
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
write(
  "lib/greet.ts",
  `interface Person {
  name: string;
}

export function greet(person: Person): string {
  const text: string = "hello " + person.name;
  return text;
}
`,
);
const serverSaying = (version: string) => `import { greet } from "./lib/greet.ts";
type Unused = { a: 1 };
export default { fetch: (): Response => new Response(greet({ name: ${JSON.stringify(version)} })) };
`;
write("server.ts", serverSaying("ada"));

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

/** A client of the inspector's protocol. */
class Client {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: Record<string, unknown>) => void>();
  readonly #events: Message[] = [];
  #told: () => void = () => {};
  #last = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id !== undefined) this.#answers.get(message.id)?.(message.result ?? {});
      else this.#events.push(message);
      this.#told();
    };
  }

  static async connect(server: Started): Promise<Client> {
    const [, url] = await server.saw(/Debugger listening on (ws:\S+)/);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`no debugger on ${url}`));
    });
    return new Client(socket);
  }

  ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  /** The next event of this kind that fits. */
  async event(method: string, fits: (params: never) => boolean = () => true): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.#events.findIndex((one) => one.method === method && fits(one.params as never));
      if (found >= 0) return this.#events.splice(found, 1)[0].params ?? {};
      await new Promise<void>((resolve) => (this.#told = resolve));
    }
  }

  close(): void {
    this.#socket.close();
  }
}

interface Script {
  readonly scriptId: string;
  readonly url: string;
  readonly startLine: number;
  readonly sourceMapURL: string;
}

/** The program's script, with its map as clients read it. */
async function program(client: Client): Promise<{ script: Script; map: SourceMap; sources: string[] }> {
  const fits = ({ url, sourceMapURL }: Script) => url.endsWith("(bundle)") && sourceMapURL !== "";
  const script = (await client.event("Debugger.scriptParsed", fits)) as unknown as Script;
  const payload = JSON.parse(Buffer.from(script.sourceMapURL.split("base64,")[1], "base64").toString());
  return { script, map: new SourceMap(payload), sources: payload.sources as string[] };
}

/** Where in the script a line of a source begins. */
function generated(map: SourceMap, url: string, line: number): { lineNumber: number; columnNumber: number } {
  for (let lineNumber = 0; lineNumber < 500; lineNumber++) {
    for (let columnNumber = 0; columnNumber < 80; columnNumber++) {
      const entry = map.findEntry(lineNumber, columnNumber);
      if ("originalSource" in entry && entry.originalSource === url && entry.originalLine === line - 1) {
        if (entry.generatedLine === lineNumber) return { lineNumber, columnNumber: entry.generatedColumn };
      }
    }
  }
  throw new Error(`${url}:${line} is not in the map`);
}

interface Paused {
  readonly callFrames: readonly {
    readonly callFrameId: string;
    readonly location: { readonly lineNumber: number; readonly columnNumber: number };
  }[];
}

function placeOf({ callFrames }: Paused, map: SourceMap): string {
  const { lineNumber, columnNumber } = callFrames[0].location;
  const entry = map.findEntry(lineNumber, columnNumber);
  if (!("originalSource" in entry)) return "nowhere";
  return `${entry.originalSource.replace(pathToFileURL(folder).href, "")}:${entry.originalLine + 1}`;
}

test("--inspect-brk stops before the first line; a breakpoint in a line of TypeScript is met, with its variables", async () => {
  const command = [
    ...fromSource,
    "run",
    "server.ts",
    "--port",
    "0",
    "--host",
    "127.0.0.1",
    "--inspect-brk=127.0.0.1:0",
  ];
  const server = start(command, { cwd: folder });
  const client = await Client.connect(server);
  await client.ask("Runtime.enable");
  await client.ask("Debugger.enable");
  await client.ask("Runtime.runIfWaitingForDebugger");
  const { script, map, sources } = await program(client);
  assert.is(script.startLine, 0);
  const first = (await client.event("Debugger.paused")) as unknown as Paused;
  assert.is(placeOf(first, map), "/server.ts:1");
  assert.not.match(server.stderr(), /Listening/);
  const url = pathToFileURL(join(folder, "lib/greet.ts")).href;
  assert.ok(sources.includes(url));
  const { breakpointId } = await client.ask("Debugger.setBreakpointByUrl", {
    url: script.url,
    ...generated(map, url, 7),
  });
  assert.ok(breakpointId);
  await client.ask("Debugger.resume");
  const [, address] = await server.saw(/^Listening on (\S+)$/m);
  const answer = fetch(address).then((response) => response.text());
  const paused = (await client.event("Debugger.paused")) as unknown as Paused;
  assert.is(placeOf(paused, map), "/lib/greet.ts:7");
  const { callFrameId } = paused.callFrames[0];
  const { result } = await client.ask("Debugger.evaluateOnCallFrame", { callFrameId, expression: "text" });
  assert.is((result as { value?: string }).value, "hello ada");
  await client.ask("Debugger.resume");
  assert.is(await answer, "hello ada");
  client.close();
  assert.is((await server.stop()).code, 0);
});

test("stacks name the same lines as without a debugger, and --inspect-wait waits", async () => {
  write("throws.ts", "type A = string;\n\nfunction fail(): A {\n  throw new Error('no database');\n}\nfail();\n");
  const server = start([...fromSource, "run", "throws.ts", "--inspect-wait=0"], { cwd: folder });
  const client = await Client.connect(server);
  assert.not.match(server.stderr(), /no database/);
  await client.ask("Runtime.runIfWaitingForDebugger");
  await server.saw(/throws\.ts:4:9/);
  client.close();
  assert.is((await server.finished).code, 1);
});

test("with --watch each version has the debugger, and one that does not start gives it back", async () => {
  const free = await new Promise<number>((resolve) => {
    const holder = process
      .getBuiltinModule("node:net")
      .createServer()
      .listen(0, "127.0.0.1", () => {
        const { port } = holder.address() as { port: number };
        holder.close(() => resolve(port));
      });
  });
  const listed = async () => (await (await fetch(`http://127.0.0.1:${free}/json/list`)).json()) as object[];
  const address = ["--port", "0", "--host", "127.0.0.1"];
  const server = start([...fromSource, "run", "server.ts", "--watch", `--inspect=${free}`, ...address], {
    cwd: folder,
  });
  const [, url] = await server.saw(/^Listening on (\S+)$/m);
  assert.is((await listed()).length, 1);
  const client = await Client.connect(server);
  write("server.ts", serverSaying("grace"));
  await server.saw(/restarted server\.ts/);
  assert.is(await (await fetch(url)).text(), "hello grace");
  assert.is((await listed()).length, 1);
  client.close();
  write("server.ts", "throw new Error('not now');");
  await server.saw(/goes on serving/);
  assert.is(await (await fetch(url)).text(), "hello grace");
  // It listens again once it was told to.
  for (let tries = 0; ; tries++) {
    const found = await listed().catch(() => []);
    if (found.length === 1) break;
    assert.ok(tries < 500, server.stderr());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.is((await server.stop()).code, 0);
});

test("what cannot be an address is said, and a port that is taken", async () => {
  assert.equal(inspectAsked({ inspect: true, inspectAddress: "[::1]:9230" }), {
    host: "::1",
    port: 9230,
    wait: false,
    stop: false,
  });
  assert.equal(inspectAsked({ inspectBrk: true, inspectAddress: "localhost" }), {
    host: "localhost",
    port: 9229,
    wait: true,
    stop: true,
  });
  assert.is(inspectAsked({}), undefined);
  for (const inspectAddress of ["a:b", "1:2:3", "127.0.0.1:70000", "x:"]) {
    assert.throws(() => inspectAsked({ inspect: true, inspectAddress }), /write host:port/);
  }
  const holder = process.getBuiltinModule("node:net").createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as { port: number };
  const taken = await run([...fromSource, "run", "server.ts", `--inspect=${port}`, "--port", "0"], { cwd: folder });
  holder.close();
  assert.match(taken.stderr, /slipway: --inspect: no debugger can be served on 127\.0\.0\.1:\d+: choose another port/);
  assert.is(taken.code, 1);
});

test.run();
