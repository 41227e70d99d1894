// The namespace itself: complete, made late, never in a real Deno's way, and clear about what it does not have.
import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { installDeno } from "../../src/deno/mod.ts";
import { errors } from "../../src/runtime/errors.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { run } from "../support/process.ts";
import { skip } from "../support/skip.ts";

type Namespace = Record<string, unknown>;
const global = globalThis as unknown as { Deno?: Namespace };

function deno(): Namespace {
  installDeno();
  if (global.Deno === undefined) throw new Error("installDeno installed nothing");
  return global.Deno;
}

const test = suite("namespace");
test("a Deno that is there stays", () => {
  const real = { real: true };
  global.Deno = real;
  installDeno();
  assert.is(global.Deno, real);
  delete global.Deno;
});
test("is on globalThis as Deno's is, and the same at every look", () => {
  const namespace = deno();
  assert.is(global.Deno, namespace);
  installDeno();
  assert.is(global.Deno, namespace);
  const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(globalThis, "Deno") ?? {};
  assert.equal([writable, enumerable, configurable], [false, true, true]);
});
test("may be replaced before it was looked at", () => {
  delete global.Deno;
  installDeno();
  const mine = { mine: true };
  global.Deno = mine;
  assert.is(global.Deno, mine);
  delete global.Deno;
});
test("a member is the same function at every look, and can be replaced", () => {
  assert.is(deno().mkdir, deno().mkdir);
  const mine = () => {};
  deno().mkdirSync = mine;
  assert.is(deno().mkdirSync, mine);
});
test("errors are the classes that our network throws", () => {
  assert.is(deno().errors, errors);
});
if (denoProgram === undefined) {
  skip(test, "has every member that Deno has", noDeno);
} else {
  test("has every member that Deno has", async () => {
    const program =
      "console.log(JSON.stringify(Object.fromEntries(Object.keys(Deno).map((k) => [k, typeof Deno[k]]))))";
    const { stdout } = await run([denoProgram ?? "", "eval", "--no-config", program]);
    const namespace = deno();
    for (const [name, type] of Object.entries(JSON.parse(stdout))) {
      assert.ok(Object.hasOwn(namespace, name), `Deno.${name} is missing`);
      // What is not supported is a function, whatever it should have been.
      if (["jupyter", "telemetry", "lint", "internal"].includes(name)) continue;
      assert.is(typeof namespace[name], type, `Deno.${name}`);
    }
  });
}

const unsupported = suite("what is not supported");
const sentence = /^Deno\.(dlopen|serveHttp|UnsafeCallback|jupyter) is not supported by Slipway: .+/;
test("a listener lets one caller wait, as Deno's do", async () => {
  type Listening = { accept(): Promise<unknown>; close(): void };
  const listen = deno().listen as (options: object) => Listening;
  assert.is(listen.name, "listen");
  const listener = listen({ hostname: "127.0.0.1" });
  const first = listener.accept().catch((error: Error) => error);
  const second = await listener.accept().catch((error: Error) => error);
  assert.instance(second, errors.Busy);
  assert.is((second as Error).message, "Another accept task is ongoing");
  listener.close();
  assert.instance(await first, errors.BadResource);
});

const refused = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    assert.instance(error, errors.NotSupported);
    assert.match((error as Error).message, sentence);
    return;
  }
  assert.unreachable("it did not throw");
};
unsupported("says so when called", () => {
  for (const name of ["dlopen", "serveHttp"]) refused(deno()[name] as () => unknown);
});
unsupported("says so when constructed", () => {
  refused(() => new (deno().UnsafeCallback as new () => unknown)());
});
unsupported("says so when looked into", () => {
  refused(() => (deno().jupyter as { display: unknown }).display);
});
unsupported("may be looked at, printed, awaited and passed around", async () => {
  const { jupyter, dlopen } = deno();
  assert.type(dlopen, "function");
  inspect(deno());
  JSON.stringify([jupyter]);
  assert.is(await jupyter, jupyter);
  assert.type(String(Object.prototype.toString.call(jupyter)), "string");
});

test.run();
unsupported.run();
