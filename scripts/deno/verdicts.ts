/**
 * What becomes of each of Deno's members here. What is named nowhere works as it does under Deno; test/deno/members.test.ts
 * and the programs in test/deno/programs hold that to be so.
 */
import { unsupportedMembers, unsupportedUnstable } from "../../src/deno/unsupported.ts";

/** `name` or `name.field` → how it differs, in a phrase. */
export const differs: Readonly<Record<string, string>> = {
  permissions: "everything is granted, and nothing can be revoked: there is no sandbox",
  PermissionOptionsObject: "there is no sandbox: what a test asks to be forbidden is not",
  "FsEvent.kind": "create, modify and remove: a rename is a remove and a create, and nobody tells of reading",
  "FsEvent.flag": "always null",
  watchFs: "a folder takes a watch for each folder below it, and is read through once",
  inspect: "Node's printer with Deno's quotes and defaults: a URL, a Proxy and an ArrayBuffer look as Node has them",
  "InspectOptions.trailingComma": "it changes nothing",
  "InspectOptions.showProxy": "a Proxy is always shown as one",
  refTimer: "wants what setTimeout returned, which is an object here; a number changes nothing",
  unrefTimer: "wants what setTimeout returned, which is an object here; a number changes nothing",
  execPath: "the program that runs: slipway, the compiled server, or Node",
  "build.standalone": "true in a compiled server",
  "version.deno": "the Deno whose surface this is",
  "Listener.accept": "several may wait at once, and each gets a connection, where Deno says Busy",
  "Conn.close": "closing twice is no error",
  "Conn.readable": "cancelling it leaves the other direction open",
  connect: "a name that is not there is a NotFound, in Deno an Error; behind Deno's sentence stand place and cure",
  "UnixAddr.path": 'an abstract socket is written "@name"',
  resolveDns: "by c-ares, which asks the name servers of the system; errors that are not NotFound are Node's",
  "ServeOptions.signal": "ends at once, as there; one that is aborted already throws its reason, where Deno never ends",
  "ServeOptions.automaticCompression":
    "Deno's rules (from 64 bytes on, Brotli or gzip, DENO_SERVE_AUTOMATIC_COMPRESSION); all of `text/*`; `compress` has others",
  "ServeHandlerInfo.remoteAddr":
    "may be asked for when the request has ended, too; `info` has more (docs/1-handler.md)",
  "CreateHttpClientOptions.http2MaxHeaderListSize": "it changes nothing: `maxHeaderBytes` bounds what is read",
  createHttpClient: "see docs/client.md for what each option does",
  "TestDefinition.permissions": "there is no sandbox",
  "BenchDefinition.permissions": "there is no sandbox",
};

/** `name` or `name.field` → why not, and what instead. What src/deno/unsupported.ts throws is added. */
export const refused: Readonly<Record<string, string>> = {
  ...unsupportedMembers,
  ...unsupportedUnstable,
  "UpgradeWebSocketOptions.socket": "of node:http servers; use npm's ws there",
  "UpgradeWebSocketOptions.head": "of node:http servers; use npm's ws there",
  VsockAddr: "no vsock; use a port or a path",
  VsockConn: "no vsock; use a port or a path",
  VsockConnectOptions: "no vsock; use a port or a path",
  VsockListenOptions: "no vsock; use a port or a path",
  ServeVsockOptions: "no vsock; use a port or a path",
};

/** Types that belong to what is refused: they have no row of their own. */
const parts: readonly (readonly [pattern: RegExp, of: string])[] = [
  [/^bundle\./, "bundle"],
  [/^jupyter\./, "jupyter"],
  [/^lint\./, "lint"],
  [/^webgpu\./, "webgpu"],
  [/^telemetry\./, "telemetry"],
  [/^(Connect)?Quic(?!Endpoint$)/, "connectQuic"],
  [/^(Kv(Entry|ListOptions|Commit)\w*|AtomicCheck)$/, "openKv"],
  [/^CronSchedule$/, "cron"],
  [/^(Native|Foreign|PointerObject|DynamicLibrary|UnsafeCallbackDefinition)/, "dlopen"],
];

/** The member whose verdict is also that of `name`. */
export function partOf(name: string): string | undefined {
  return parts.find(([pattern, of]) => pattern.test(name) && of !== name)?.[1];
}
