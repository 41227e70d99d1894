// Readiness: what the program's checks say, how long they may take, and that nobody can pile them up.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Readiness } from "../../src/admin/ready.ts";
import { Response } from "../../src/fetch/mod.ts";
import { start } from "../http/support/server.ts";
import { logged } from "../support/logged.ts";
import { open } from "./support/ask.ts";
import { parseOpenMetrics, valueIn } from "./support/openmetrics.ts";

const NodeResponse = globalThis.Response;

const quietly = async <T>(work: () => Promise<T>): Promise<T> => {
  let result: T | undefined;
  await logged(async () => {
    result = await work();
  });
  return result as T;
};

test("without checks the process is ready", async () => {
  await using admin = await open();
  const { status, text } = await admin.get("/readyz");
  assert.is(status, 200);
  assert.is(text, "ready\n");
});

const gave = (what: string) => `it gave ${what}: true, nothing or a Response with status 2xx passes, false fails`;

for (const [name, check, reason] of [
  ["gives nothing", () => undefined, undefined],
  ["gives true", () => true, undefined],
  ["resolves", async () => {}, undefined],
  ["resolves to true", async () => true, undefined],
  ["gives a response that is well", () => new Response("fine"), undefined],
  ["gives Node's own response that is well", () => new NodeResponse(null, { status: 204 }), undefined],
  ["gives a response that is not", () => new Response("x", { status: 503 }), "it gave a response with status 503"],
  [
    "resolves to Node's own that is not",
    async () => new NodeResponse("", { status: 404 }),
    "it gave a response with status 404",
  ],
  ["gives 0", () => 0, gave("a number")],
  ["resolves to text", async () => "down", gave("a string")],
  ["gives null", () => null, gave("null")],
  ["gives an object", () => ({ rows: [] }), gave("an object")],
  ["gives false", () => false, "it gave false"],
  ["resolves to false", async () => false, "it gave false"],
  [
    "throws",
    () => {
      throw new TypeError("no database");
    },
    "TypeError: no database",
  ],
  ["rejects", () => Promise.reject(new Error("refused")), "Error: refused"],
  ["rejects with text", () => Promise.reject("gone"), "gone"],
  ["rejects with nothing", () => Promise.reject(undefined), "undefined"],
  [
    "throws what cannot be shown",
    () => {
      throw {
        toString() {
          throw new Error("no");
        },
      };
    },
    "it threw something that cannot be shown",
  ],
  [
    "throws terminal escapes and lines",
    () => {
      throw new Error("\u001b[2Jone\ntwo");
    },
    "Error: \\u001b[2Jone\\u000atwo",
  ],
] as const) {
  test(`a check that ${name} ${reason === undefined ? "passes" : "fails"}`, async () => {
    await using admin = await open({ ready: { db: check, other: () => {} } });
    const { status, text } = await quietly(() => admin.get("/readyz"));
    const lines = text.split("\n");
    assert.is(status, reason === undefined ? 200 : 503);
    assert.is(lines[0], reason === undefined ? "ready" : "not ready");
    assert.ok(lines[1].startsWith(reason === undefined ? "db: ok (" : `db: failed: ${reason} (`), lines[1]);
    assert.match(lines[2], /^other: ok \(\d+ ms\)$/);
  });
}

test("one function is a check by the name of ready; JSON for who asks", async () => {
  await using admin = await open({ ready: () => false });
  const { status, headers, text } = await quietly(() =>
    admin.get("/readyz", { headers: { accept: "application/json" } }),
  );
  assert.is(status, 503);
  assert.is(headers["content-type"], "application/json");
  const { ready, draining, checks } = JSON.parse(text);
  assert.is(ready, false);
  assert.is(draining, false);
  assert.is(checks.length, 1);
  assert.is(checks[0].name, "ready");
  assert.is(checks[0].ok, false);
  assert.is(checks[0].reason, "it gave false");
});

test("a check that takes too long fails at its own timeout, and its signal aborts", async () => {
  let reason: unknown;
  const slow = (signal: AbortSignal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        reject(signal.reason);
      });
    });
  await using admin = await open({ ready: { slow: { check: slow, timeout: 20 }, quick: () => true } });
  const { status, text } = await quietly(() => admin.get("/readyz"));
  assert.is(status, 503);
  assert.match(text, /^slow: failed: timed out after 20 ms \(\d+ ms\)$/m);
  assert.match(text, /^quick: ok/m);
  assert.is((reason as DOMException).name, "TimeoutError");
});

test("a check that ignores its signal is not started again until it has ended", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let runs = 0;
  const deaf = () => {
    runs++;
    return promise;
  };
  const readiness = new Readiness({ deaf: { check: deaf, timeout: 10 } });
  await quietly(async () => {
    assert.match((await readiness.run())[0].reason ?? "", /timed out/);
    assert.match((await readiness.run())[0].reason ?? "", /has not ended/);
    assert.is(runs, 1);
    resolve();
    await promise;
    await new Promise((done) => setImmediate(done));
    assert.is((await readiness.run())[0].ok, true);
    assert.is(runs, 2);
  });
});

test("beside runs that do not end more are started, ever later and four at most; one that ends makes room", async () => {
  let now = 0;
  const ends: (() => void)[] = [];
  const deaf = () => new Promise<void>((resolve) => ends.push(resolve));
  const readiness = new Readiness({ deaf: { check: deaf, timeout: 1 } }, () => now);
  const reason = async () => (await readiness.run())[0].reason ?? "";
  const lines = await logged(async () => {
    for (const [i, wait] of [0, 10, 100, 1000].entries()) {
      now += wait - 0.5;
      if (i > 0)
        assert.match(await reason(), i === 1 ? /^its run of 0 s ago has not ended/ : /^\d runs of it, the last/);
      assert.is(ends.length, i);
      now += 0.5;
      assert.match(await reason(), /timed out/);
      assert.is(ends.length, i + 1);
    }
    now += 1e9;
    assert.match(
      await reason(),
      /^4 runs of it, the last of 1000000 s ago, have not ended: .*; no more are started until/,
    );
    assert.is(ends.length, 4);
    ends[2]();
    await new Promise((done) => setImmediate(done));
    assert.match(await reason(), /timed out/);
    assert.is(ends.length, 5);
  });
  assert.equal(
    lines.filter((line) => line.includes("once more")),
    [1, 2, 3, 3].map(
      (n) => `slipway: a readiness check is started once more beside runs that have not ended check=deaf running=${n}`,
    ),
  );
});

test("a run that hangs does not keep a check red that passes again", async () => {
  let now = 0;
  let hangs = true;
  const check = () => (hangs ? new Promise(() => {}) : true);
  const readiness = new Readiness({ db: { check, timeout: 1 } }, () => now);
  const lines = await logged(async () => {
    assert.not((await readiness.run())[0].ok);
    hangs = false;
    assert.not((await readiness.run())[0].ok);
    now = 11;
    assert.ok((await readiness.run())[0].ok);
    assert.ok((await readiness.run())[0].ok);
  });
  assert.is(lines.length, 3);
  assert.match(lines[2], /a readiness check passes again check=db/);
});

test("whoever asks while checks run shares the run", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let runs = 0;
  await using admin = await open({
    ready: () => {
      runs++;
      return promise;
    },
  });
  const answers = Array.from({ length: 10 }, () => admin.get("/readyz"));
  // All of them have arrived once one that came later was answered.
  await admin.get("/healthz");
  resolve();
  for (const { status } of await Promise.all(answers)) assert.is(status, 200);
  assert.ok(runs <= 2, `${runs} runs`);
  await admin.get("/readyz");
  assert.ok(runs <= 3);
});

test("checks are called on the object that they are fields of", async () => {
  const checks = {
    up: true,
    own() {
      return this.up;
    },
  };
  const readiness = new Readiness({ own: checks.own.bind(checks), object: { check: () => true } });
  assert.ok((await readiness.run()).every(({ ok }) => ok));
  const object = {
    state: true,
    check() {
      return this.state;
    },
  };
  assert.ok((await new Readiness({ object }).run())[0].ok);
});

test("only changes are logged, and the gauge shows what fails", async () => {
  let fine = true;
  await using admin = await open({ ready: { db: () => fine } });
  const lines = await logged(async () => {
    await admin.get("/readyz");
    fine = false;
    for (let i = 0; i < 3; i++) await admin.get("/readyz");
    const families = parseOpenMetrics((await admin.get("/metrics")).text);
    assert.is(valueIn(families, "slipway_readiness_check_failing", { check: "db" }), 1);
    fine = true;
    for (let i = 0; i < 3; i++) await admin.get("/readyz");
  });
  assert.equal(
    lines.filter((line) => line.includes("readiness check")),
    [
      'slipway: a readiness check fails check=db reason="it gave false"',
      "slipway: a readiness check passes again check=db",
    ],
  );
});

for (const [checks, says] of [
  [5, /'ready' of the default export must be a function, or an object of functions/],
  [[() => true], /must be a function, or an object/],
  [null, /must be a function, or an object/],
  [{ db: "x" }, /'ready\.db' of the default export must be a function, or \{ check, timeout \}/],
  [{ db: { timeout: 5 } }, /'ready\.db' of the default export must be a function/],
  [{ db: { check() {}, timeout: "soon" } }, /'ready\.db' of the default export: timeout must be a duration/],
  [{ db: { check() {}, timeout: 0 } }, /timeout must/],
  [{ db: { check() {}, timeout: {} } }, /timeout/],
] as const) {
  test(`ready: ${JSON.stringify(checks)} is refused with a sentence`, async () => {
    const error = await open({ ready: checks as never }).then(
      () => undefined,
      (error: Error) => error,
    );
    assert.is(error?.name, "AdminError");
    assert.match(error?.message ?? "", says);
  });
}

test("a server that drains makes the process not ready, and no check is asked", async () => {
  let asked = 0;
  await using admin = await open({
    ready: () => {
      asked++;
    },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  using server = start(() => promise.then(() => new Response("done")));
  const answer = fetch(server.url);
  await admin.get("/readyz");
  assert.is(asked, 1);
  while (parseInFlight((await admin.get("/metrics")).text) < 1) await new Promise((done) => setImmediate(done));
  const ended = server.server.shutdown();
  const { status, text } = await admin.get("/readyz");
  assert.is(status, 503);
  assert.is(text, "not ready: draining\n");
  assert.is(asked, 1);
  assert.is(valueIn(parseOpenMetrics((await admin.get("/metrics")).text), "slipway_draining"), 1);
  assert.is((await admin.get("/healthz")).status, 200);
  resolve();
  assert.is(await (await answer).text(), "done");
  await ended;
});

function parseInFlight(text: string): number {
  return valueIn(parseOpenMetrics(text), "http_server_active_requests");
}

test.run();
