/**
 * What other runtimes' defaults do with the attacks of `slipway check`: `node scripts/bench/check-peers.ts [peer…]`
 * (`--only=drain/` repeats those attacks alone, and keeps what was measured of the others)
 * starts each one's plain hello server, with no option but the port, runs every attack against it, and writes
 * src/check/live/peers.json with the date and the versions. Two and a half minutes a peer. A peer that is not installed
 * is "not measured here": nothing in that table comes from documentation.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkServer } from "../../src/check/live/mod.ts";
import type { Peer, PeerTable } from "../../src/check/live/peers.ts";
import { freePort, startServer } from "./server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const file = join(root, "src/check/live/peers.json");
const folder = mkdtempSync(join(tmpdir(), "slipway-check-peers-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

interface Default {
  readonly name: string;
  /** The program, or undefined where there is none. */
  find(): string | undefined;
  version(program: string): string;
  readonly source: string;
  readonly ending: string;
  command(program: string, source: string, port: number): string[];
}

const fetchHandler = `
const large = new Uint8Array(64 * 2 ** 20).fill(97);
async function handler(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/large") return new Response(large);
  if (pathname === "/upload") return new Response((await request.arrayBuffer()).byteLength + "\\n");
  return new Response("hello\\n");
}
`;

const defaults: readonly Default[] = [
  {
    name: "Go",
    find: () => inFolders("go", ["/usr/local/go/bin", ...goFolders()]),
    version: (program) => said(program, ["version"], /go(\d\S*)/),
    ending: ".go",
    source: `package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	large := bytes.Repeat([]byte("a"), 64<<20)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\\n") })
	http.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { w.Write(large) })
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		fmt.Fprintln(w, n)
	})
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
`,
    command(program, source, port) {
      const built = join(folder, "go-hello");
      const env = { ...process.env, GOCACHE: join(folder, "cache"), GOPATH: join(folder, "go"), GO111MODULE: "off" };
      execFileSync(program, ["build", "-o", built, source], { env, stdio: "inherit", timeout: 300_000 });
      return [built, String(port)];
    },
  },
  {
    name: "Deno",
    find: () => inModules(["@deno/linux-x64-glibc/deno", "@deno/linux-arm64-glibc/deno", "deno/deno"]),
    version: (program) => said(program, ["--version"], /deno (\S+)/),
    ending: ".mjs",
    source: `${fetchHandler}Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1" }, handler);\n`,
    command: (program, source, port) => [program, "run", "-A", "--no-config", "--no-lock", source, String(port)],
  },
  {
    name: "Bun",
    find: () => inModules(["@oven/bun-linux-x64/bin/bun", "@oven/bun-linux-aarch64/bin/bun", "bun/bin/bun.exe"]),
    version: (program) => said(program, ["--version"], /(\S+)/),
    ending: ".mjs",
    source: `${fetchHandler}Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", fetch: handler });\n`,
    command: (program, source, port) => [program, "run", source, String(port)],
  },
  {
    name: "Node",
    find: () => process.execPath,
    version: () => process.versions.node,
    ending: ".mjs",
    source: `import { createServer } from "node:http";
const large = Buffer.alloc(64 * 2 ** 20, "a");
createServer((request, response) => {
  if (request.url === "/large") return response.end(large);
  if (request.url !== "/upload") return response.end("hello\\n");
  let length = 0;
  request.on("data", (chunk) => { length += chunk.length; });
  request.on("end", () => response.end(length + "\\n"));
}).listen(Number(process.argv[2]), "127.0.0.1");
`,
    command: (program, source, port) => [program, source, String(port)],
  },
];

const words = process.argv.slice(2).map((word) => word.toLowerCase());
const asked = words.filter((word) => !word.startsWith("--only="));
const only = words.find((word) => word.startsWith("--only="))?.slice("--only=".length) ?? "";
const unknown = asked.filter((name) => !defaults.some((each) => each.name.toLowerCase() === name));
if (unknown.length > 0) {
  console.error(`unknown peer ${unknown.join(", ")}: choose from ${defaults.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const before = JSON.parse(readFileSync(file, "utf8")) as PeerTable;
let peers = before.peers;
for (const each of defaults) {
  if (asked.length > 0 && !asked.includes(each.name.toLowerCase())) continue;
  const measured = await measure(each, only === "" ? {} : peers.find(({ name }) => name === each.name)?.results);
  const order = defaults.map(({ name }) => name);
  peers = [...peers.filter(({ name }) => name !== each.name), measured];
  peers = peers.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  // After each: ten minutes of work are not lost to a peer that cannot be started.
  const table: PeerTable = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores, ${type()} ${release().split("-")[0]}`,
    peers,
  };
  writeFileSync(file, `${JSON.stringify(table, null, 2)}\n`);
}

async function measure(peer: Default, kept: Peer["results"] = {}): Promise<Peer> {
  const { name, find, version, source, ending, command } = peer;
  const program = find();
  if (program === undefined) return { name, version: "", missing: "not measured here", results: {} };
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  const path = join(own, `hello${ending}`);
  writeFileSync(path, source);
  const port = await freePort();
  const server = await startServer(command(program, path, port), port, null);
  let text = "";
  try {
    console.error(`${name} ${version(program)}:`);
    const options = {
      json: true,
      largePath: "/large",
      pid: server.pid,
      uploadPath: "/upload",
      only: ({ id }: { id: string }) => id.includes(only),
      out: (said: string) => void (text += said),
    };
    await checkServer(`http://127.0.0.1:${port}`, options);
  } finally {
    await server.stop();
  }
  const report = JSON.parse(text) as { attacks: { id: string; verdict: "pass"; came: string }[] };
  const results = report.attacks.map(({ id, verdict, came }) => [id, { verdict, came }] as const);
  const fails = report.attacks.filter(({ verdict }) => (verdict as string) === "fail").length;
  console.error(`  ${fails} of ${report.attacks.length} attacks failed`);
  return { name, version: version(program), results: { ...kept, ...Object.fromEntries(results) } };
}

function said(program: string, args: string[], pattern: RegExp): string {
  return pattern.exec(execFileSync(program, args, { encoding: "utf8" }))?.[1] ?? "of unknown version";
}

function inModules(paths: readonly string[]): string | undefined {
  return paths.map((path) => join(root, "node_modules", path)).find(existsSync);
}

function inFolders(name: string, folders: readonly string[]): string | undefined {
  const all = [...(process.env.PATH ?? "").split(":"), ...folders];
  return all.map((each) => join(each, name)).find(existsSync);
}

/** Debian's packages: /usr/lib/go-1.19/bin. */
function goFolders(): string[] {
  if (!existsSync("/usr/lib")) return [];
  return readdirSync("/usr/lib")
    .filter((name) => /^go-\d/.test(name))
    .map((name) => `/usr/lib/${name}/bin`);
}
