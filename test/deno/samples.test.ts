// docs/deno.md is true of objects too: each that a member gives has the fields of Deno's interface for it, and each option
// that is said to work is used by a program or a test.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { partOf } from "../../scripts/deno/verdicts.ts";
import { key, listedMembers, verdictOf } from "../../scripts/deno-docs.ts";
import { installDeno } from "../../src/deno/mod.ts";
import { install } from "../../src/fetch/mod.ts";
import { repository, temporaryFolder } from "../support/process.ts";
import { answersCaa } from "./dns-server.ts";

installDeno();
install();
// biome-ignore lint/suspicious/noExplicitAny: its types are what the test is about.
const Deno = (globalThis as any).Deno;
const folder = temporaryFolder();
const file = join(folder, "file");
writeFileSync(file, "text");

/** An object of each interface that is not one of options. */
const samples: Readonly<Record<string, () => unknown>> = {
  MemoryUsage: () => Deno.memoryUsage(),
  SystemMemoryInfo: () => Deno.systemMemoryInfo(),
  NetworkInterfaceInfo: () => Deno.networkInterfaces()[0],
  Env: () => Deno.env,
  FileInfo: () => Deno.statSync(file),
  DirEntry: () => [...Deno.readDirSync(folder)][0],
  FsWatcher: () => closing(Deno.watchFs(folder)),
  FsEvent: async () => {
    const watcher = Deno.watchFs(folder);
    writeFileSync(join(folder, "another"), "");
    const { value } = await watcher.next();
    watcher.close();
    return value;
  },
  CommandStatus: () => new Deno.Command("true").outputSync(),
  CommandOutput: () => new Deno.Command("true").outputSync(),
  SubprocessReadableStream: async () => {
    const child = new Deno.Command("true", { stdout: "piped" }).spawn();
    await child.status;
    return child.stdout;
  },
  PermissionStatusEventMap: () => ({ change: new Event("change") }),
  NetAddr: () => closing(Deno.listen({ port: 0 })).addr,
  UnixAddr: () => closing(Deno.listen({ transport: "unix", path: join(folder, "a.sock") })).addr,
  Listener: () => closing(Deno.listen({ port: 0 })),
  Conn: async () => (await pair())[1],
  TcpConn: async () => (await pair())[1],
  DatagramConn: () => closing(Deno.listenDatagram({ transport: "udp", port: 0 })),
  MulticastV4Membership: async () => {
    const socket = Deno.listenDatagram({ transport: "udp", port: 0, hostname: "0.0.0.0" });
    const membership = await socket.joinMulticastV4("239.1.2.3", "127.0.0.1");
    socket.close();
    return membership;
  },
  HttpServer: async () => {
    const server = Deno.serve({ port: 0, onListen() {} }, () => new Response());
    await server.shutdown();
    return server;
  },
  ServeHandlerInfo: async () => {
    let seen: unknown;
    const server = Deno.serve({ port: 0, onListen() {} }, (_: Request, info: object) => {
      // Its fields are asked for while the request is there.
      seen = { ...Object.fromEntries(["remoteAddr", "completed"].map((name) => [name, info[name as never]])) };
      return new Response();
    });
    await (await fetch(`http://127.0.0.1:${server.addr.port}/`)).text();
    await server.shutdown();
    return seen;
  },
  CaaRecord: async () => {
    await using server = await answersCaa({ flags: 128, tag: "issue", value: "authority.example" });
    const nameServer = { ipAddr: "127.0.0.1", port: server.port };
    const records = await Deno.resolveDns("caa.example", "CAA", { nameServer });
    assert.equal(records, [{ critical: true, tag: "issue", value: "authority.example" }]);
    return records[0];
  },
};

/** Interfaces of options, and of what others make, test and describe: their fields are words in programs and tests. */
const words = /(Options|Object|Init|Definition|Descriptor|Pem|Auth|Export)$/;
/** Whose tests are elsewhere: test/tls, test/websocket, the records of a name server, `slipway test`. */
const elsewhere =
  /^(Tls(Conn|HandshakeInfo)|WebSocketUpgrade|UnixConn|(Mx|Naptr|Soa|Srv)Record|(Test|Bench|DenoTest)\w*|MulticastV6\w*)$/;

const objects = suite("objects");
const options = suite("options");
const sources = readdirSync(join(repository, "test"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => readFileSync(join(repository, "test", path), "utf8"))
  .join("\n");
for (const { name, kind, fields } of listedMembers()) {
  if (kind !== "interface" || partOf(name) !== undefined || verdictOf(name).is === "refused") continue;
  if (elsewhere.test(name)) continue;
  if (words.test(name)) {
    options(name, () => {
      for (const field of fields) {
        if (verdictOf(key(name, field)).is !== "works") continue;
        assert.match(
          sources,
          new RegExp(`\\b${field}\\b["']?\\s*[:,}(]|\\b${field}\\?:`),
          `${name}.${field} is used nowhere`,
        );
      }
    });
    continue;
  }
  objects(name, async () => {
    assert.ok(Object.hasOwn(samples, name), `${name} has no sample: say in this file how to get one`);
    const sample = (await samples[name]()) as object;
    for (const field of fields) {
      const property = field.startsWith("[")
        ? Symbol[field.slice(8, field.indexOf("]")) as "dispose"]
        : field.replace("()", "");
      assert.ok(property in sample, `${name}.${field} is missing`);
      if (field.endsWith("()")) assert.type(sample[property as never], "function", `${name}.${field}`);
    }
  });
}

function closing<T extends { close(): void }>(value: T): T & { addr: unknown } {
  queueMicrotask(() => value.close());
  return value as T & { addr: unknown };
}

async function pair(): Promise<{ close(): void }[]> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const conns = await Promise.all([listener.accept(), Deno.connect({ port: listener.addr.port })]);
  listener.close();
  setTimeout(() => {
    for (const conn of conns) conn.close();
  });
  return conns;
}

objects.run();
options.run();
