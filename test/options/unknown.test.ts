// Names that are nearly options: said, but no errors.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { nearest } from "../../src/cli/suggestions.ts";
import { serveWarnings } from "../../src/options/serve.ts";
import { fieldWarning, unknownFields, unknownVariables, variableWarning } from "../../src/options/unknown.ts";

const fields = (exported: Record<string, unknown>) =>
  unknownFields(exported).flatMap((name) => fieldWarning(exported, name, "s.ts", nearest) ?? []);

test("misspelt variables", () => {
  assert.equal(unknownVariables({ SLIPWAY_READ_TIMEOUT: "", SLIPWAY_POLLER: "", SLIPWAY_RESTART: "", PATH: "" }), []);
  assert.equal(unknownVariables({ SLIPWAY_REED_TIMEOUT: "1", slipway_port: "" }), ["SLIPWAY_REED_TIMEOUT"]);
  assert.is(
    variableWarning("SLIPWAY_REED_TIMEOUT", nearest),
    "the environment's SLIPWAY_REED_TIMEOUT is no option (did you mean SLIPWAY_READ_TIMEOUT?): it changes nothing",
  );
  assert.is(variableWarning("SLIPWAY_X", nearest), "the environment's SLIPWAY_X is no option: it changes nothing");
});

test("misspelt fields, each with what was meant", () => {
  const meant = (exported: Record<string, unknown>) => fields(exported).map((line) => /mean (\w+)\?/.exec(line)?.[1]);
  assert.equal(meant({ readTimout: "2m" }), ["readTimeout"]);
  assert.equal(meant({ maxBodySize: 1 }), ["maxBodyBytes"]);
  assert.equal(meant({ prot: 3000 }), ["port"]);
  assert.equal(meant({ acessLog: true }), ["accessLog"]);
  assert.equal(meant({ trustProxies: ["::1"] }), ["trustProxy"]);
  assert.equal(meant({ limit() {} }), ["limits"]);
  assert.equal(meant({ onErrors() {} }), ["onError"]);
  // Other servers' words.
  assert.equal(meant({ host: "::1" }), ["hostname"]);
  assert.equal(meant({ maxRequestBodySize: 1 }), ["maxBodyBytes"]);
  assert.equal(meant({ cert: "cert.pem", key: "key.pem" }), ["tlsCert", "tlsKey"]);
});

test("what has nothing to do with us is let be", () => {
  assert.equal(fields({ fetch() {}, onError() {}, ready() {}, limits() {}, port: 1, path: "/x" }), []);
  assert.equal(fields({ post() {}, get() {}, name: "shop", version: 3, routes: [], config: {}, toString() {} }), []);
  // Hono's and h3's apps are instances of classes.
  class App {
    readTimout = 1;
  }
  assert.equal(unknownFields(new App() as never), []);
  assert.equal(fields({ constructor: 1, hasOwnProperty: 1 }), []);
});

test("a framework's app, spread, with an option beside it", () => {
  const methods = ["get", "post", "put", "patch", "delete", "head", "options", "query", "all", "on", "use", "match"];
  const app = Object.fromEntries(methods.map((name) => [name, () => {}]));
  assert.equal(fields({ ...app, readTimeout: "2m", mount() {}, route() {}, request() {}, basePath() {} }), []);
});

test("what a program passes to Deno.serve", () => {
  assert.equal(serveWarnings({ port: 1, onListen() {}, readTimeout: "2s", trustProxy: ["::1"], drainIdle: 0 }, {}), []);
  assert.equal(serveWarnings({ readTimeout: undefined, onUpgrade() {}, name: "shop" }, {}), []);
  assert.equal(serveWarnings({ readTimout: "2s" }, {}), [
    "Deno.serve: 'readTimout' is no option (did you mean readTimeout?): it changes nothing",
  ]);
  assert.match(serveWarnings({ host: "::1" }, {}).join(), /mean hostname\?/);
  assert.match(serveWarnings({ unix: "/x" }, {}).join(), /mean path\?/);
  assert.match(serveWarnings({ onErrors() {} }, {}).join(), /mean onError\?/);
  assert.equal(serveWarnings({ idleTimeout: 30 }, {}), [
    'idleTimeout of Deno.serve is 30 milliseconds: write "30s" for seconds, or "30ms" if it is meant',
  ]);
  assert.equal(serveWarnings({ maxBodyBytes: "none", readTimeout: "none" }, {}), [
    'no limit, because it is "none": maxBodyBytes, readTimeout (Deno.serve)',
  ]);
  assert.equal(serveWarnings({ accessLog: true }, {}), [
    "Deno.serve: 'accessLog' is no option of a single server and changes nothing: give --access-log, or SLIPWAY_ACCESS_LOG in the environment",
  ]);
  for (const name of ["admin", "listen", "logFormat"]) assert.is(serveWarnings({ [name]: "x" }, {}).length, 1);
  // A flag that beats it makes it no matter.
  assert.equal(serveWarnings({ idleTimeout: 30, readTimeout: "none" }, { idleTimeout: 1, readTimeout: 1 }), []);
});

test.run();
