/** Tasks inherit signals: one that they are given, or that of the request that they are started in. */
import { getEventListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { leaveRequests, requestContext, runInRequest, trackRequests } from "../../src/runtime/request-context.ts";
import { go } from "../../src/runtime/tasks.ts";
import { logged } from "../support/logged.ts";
import { run } from "../support/process.ts";

const test = suite("signals that tasks inherit");

class Request {
  readonly method = "GET";
  readonly head: string;
  readonly controller = new AbortController();
  made = 0;
  constructor(path = "/") {
    this.head = `GET ${path} HTTP/1.1`;
  }
  signal(): AbortSignal {
    this.made++;
    return this.controller.signal;
  }
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a given signal aborts the task's own, with its reason, and that is no failure", async () => {
  const controller = new AbortController();
  const lines = await logged(async () => {
    const task = go("inheriting", untilAborted, { signal: controller.signal });
    assert.not.ok(task.signal.aborted);
    const reason = new Error("enough");
    controller.abort(reason);
    assert.ok(task.signal.aborted);
    assert.is(task.signal.reason, reason);
    await task.finished;
  });
  assert.equal(lines, []);
});

test("the task's own cancel leaves the given signal alone", async () => {
  const controller = new AbortController();
  const task = go("cancelled", untilAborted, { signal: controller.signal });
  task.cancel();
  await task.finished;
  assert.not.ok(controller.signal.aborted);
});

test("a signal that is aborted already: the task begins, and finds it so", async () => {
  const signal = AbortSignal.abort(new Error("before"));
  let seen: boolean | undefined;
  await go("late", (own) => void (seen = own.aborted), { signal }).finished;
  assert.ok(seen);
});

test("nothing stays behind on a signal that lives for ever, however tasks end", async () => {
  const { signal } = new AbortController();
  const lines = await logged(async () => {
    const tasks = Array.from({ length: 60 }, (_, i) =>
      go(
        "short",
        i % 3 === 0 ? () => {} : i % 3 === 1 ? () => Promise.resolve() : () => Promise.reject(new Error("no")),
        { signal },
      ),
    );
    go(
      "throws",
      () => {
        throw new Error("no");
      },
      { signal },
    );
    await Promise.all(tasks.map(({ finished }) => finished));
  });
  assert.is(lines.length, 21);
  assert.is(getEventListeners(signal, "abort").length, 0);
});

test("inside a request: before an await, after one, in a timer, in a task, and not outside", async () => {
  trackRequests();
  const request = new Request();
  const all: Promise<void>[] = [];
  const start = (name: string) => all.push(go(name, untilAborted).finished);
  const lines = await logged(async () => {
    await runInRequest(
      request,
      async () => {
        start("sync");
        await null;
        start("after a microtask");
        await turn();
        start("after a turn");
        await new Promise<void>((resolve) =>
          setTimeout(() => {
            start("in a timer");
            resolve();
          }, 1),
        );
        go("outer", async () => {
          await turn();
          start("in a task");
        });
        await turn();
        await turn();
      },
      undefined,
      undefined,
    );
    assert.is(requestContext.current, undefined);
    assert.not.ok(go("outside", () => {}).signal.aborted);
    const { length } = all;
    assert.is(length, 5);
    assert.is(getEventListeners(request.controller.signal, "abort").length, 5);
    request.controller.abort(new Error("the client left"));
    await Promise.all(all);
  });
  assert.equal(lines, []);
  assert.is(getEventListeners(request.controller.signal, "abort").length, 0);
});

test("requests that interleave are told apart", async () => {
  const requests = Array.from({ length: 20 }, (_, i) => new Request(`/${i}`));
  const found = await Promise.all(
    requests.map((request) =>
      runInRequest(
        request,
        async () => {
          const first = requestContext.current;
          for (let i = 0; i < 5; i++) await turn();
          return [first, requestContext.current];
        },
        undefined,
        undefined,
      ),
    ),
  );
  assert.equal(
    found.map(([first, second]) => [first === second, (second as Request).head]),
    requests.map(({ head }) => [true, head]),
  );
});

test("the signal is not made for requests that start no task", async () => {
  const request = new Request();
  await runInRequest(request, async () => turn(), undefined, undefined);
  assert.is(request.made, 0);
});

test("what a handler throws or returns comes out as it is; arguments go in", () => {
  const error = new Error("mine");
  const thrown = () => {
    throw error;
  };
  assert.throws(
    () => runInRequest(new Request(), thrown, undefined, undefined),
    (e: unknown) => e === error,
  );
  assert.is(
    runInRequest(new Request(), (a: number, b: string) => `${a}${b}`, 1, "b"),
    "1b",
  );
  assert.is(requestContext.current, undefined);
});

test("a turn that a request's code caused belongs to no request", async () => {
  const found = await runInRequest(
    new Request(),
    () =>
      new Promise((resolve) =>
        setImmediate(() => {
          const before = requestContext.current?.head;
          leaveRequests();
          resolve([before, requestContext.current]);
        }),
      ),
    undefined,
    undefined,
  );
  assert.equal(found, ["GET / HTTP/1.1", undefined]);
});

// In processes of their own: whether awaits are seen through is decided once in each.
const at = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
const scope = `
  const controller = new AbortController();
  const scope = { method: "GET", head: "GET / HTTP/1.1", signal: () => controller.signal };`;

test("programs that import slipway: the first request already, and their own AsyncLocalStorage goes on working", async () => {
  const { code, stdout, stderr } = await run([
    process.execPath,
    "--input-type=module",
    "-e",
    `
    import { AsyncLocalStorage } from "node:async_hooks";
    import { go } from ${at("mod.ts")};
    import { requestContext, runInRequest } from ${at("runtime/request-context.ts")};
    ${scope}
    const own = new AsyncLocalStorage();
    await own.run("outer", async () => {
      await runInRequest(scope, async () => {
        await null;
        await own.run("inner", async () => {
          await null;
          console.log(own.getStore(), requestContext.current === scope);
        });
        go("task", (signal) => { controller.abort(); console.log(signal.aborted); });
      });
      console.log(own.getStore(), requestContext.current);
    });
    process.exit();`,
  ]);
  assert.is(code, 0, stderr);
  assert.is(stdout, "inner true\ntrue\nouter undefined\n");
});

test("programs that never ask pay for no AsyncLocalStorage", async () => {
  const { code, stdout, stderr } = await run([
    process.execPath,
    "--input-type=module",
    "-e",
    `
    import { runInRequest, tracksRequests, requestContext } from ${at("runtime/request-context.ts")};
    import ${at("http/mod.ts")};
    ${scope}
    console.log(tracksRequests(), runInRequest(scope, () => requestContext.current === scope));
    process.exit();`,
  ]);
  assert.is(code, 0, stderr);
  assert.is(stdout, "false true\n");
});

test.run();
