// @ts-nocheck: written for Deno, whose types are not installed here.
/** The process, the machine, permissions, inspect. */
import { check, folder } from "./check.ts";

const types = (object: object) =>
  Object.entries(object)
    .map(([key, value]) => `${key}: ${value === null ? "null" : typeof value}`)
    .sort();

check("env", () => {
  const said = [
    Deno.env.set("K1", "v"),
    Deno.env.get("K1"),
    Deno.env.has("K1"),
    Deno.env.toObject().K1,
    Deno.env.delete("K1"),
  ];
  return [
    ...said,
    Deno.env.get("K1"),
    Deno.env.has("K1"),
    Deno.env.delete("K1"),
    Deno.env.set("K2", ""),
    Deno.env.get("K2"),
    Deno.env.delete("K2"),
  ];
});
check("env's members", () => Object.keys(Deno.env).sort());
for (const call of ["get", "has", "set", "delete"]) {
  check(`env.${call} of an empty name`, () => Deno.env[call]("", "x"));
  check(`env.${call} of a name with =`, () => Deno.env[call]("a=b", "x"));
  check(`env.${call} of a name with zero`, () => Deno.env[call]("a\0b", "x"));
}
check("env.set a value with zero", () => Deno.env.set("A", "b\0c"));
check("env.set a number", () => [Deno.env.set("N", 5), Deno.env.get("N"), Deno.env.delete("N")]);
check("env.get of nothing", () => Deno.env.get());
check("env.get of an object's own word", () => [
  Deno.env.get("constructor"),
  Deno.env.has("toString"),
  Deno.env.get("__proto__"),
]);
check("env with umlauts", () => [Deno.env.set("Ü", "ö"), Deno.env.get("Ü"), Deno.env.delete("Ü")]);

check("permissions, all", async () => {
  const said = [];
  for (const name of ["read", "write", "net", "env", "run", "sys", "ffi", "import"]) {
    const status = await Deno.permissions.query({ name });
    said.push([
      name,
      status.state,
      status.partial,
      status.onchange,
      status.constructor.name,
      Deno.permissions.querySync({ name }).state,
    ]);
    said.push((await Deno.permissions.request({ name })).state, Deno.permissions.requestSync({ name }).state);
  }
  return said;
});
check("permissions with more", async () => [
  (await Deno.permissions.query({ name: "read", path: folder })).state,
  (await Deno.permissions.query({ name: "read", path: new URL(`file://${folder}`) })).state,
  (await Deno.permissions.query({ name: "net", host: "localhost:80" })).state,
  (await Deno.permissions.query({ name: "sys", kind: "hostname" })).state,
]);
check("permissions, a wrong name", () => Deno.permissions.query({ name: "hrtime" }));
check("permissions, nothing", () => Deno.permissions.query());
check("permissions, sync, a wrong name", () => Deno.permissions.querySync({ name: "x" }));
check("permissions, a wrong kind", () => Deno.permissions.query({ name: "sys", kind: "abc" }));
check("permissions, a wrong host", () => Deno.permissions.query({ name: "net", host: ":" }));
check(
  "permissions, the same object",
  async () => Deno.permissions.querySync({ name: "read" }) === (await Deno.permissions.query({ name: "read" })),
);
check("permissions, constructed", () => new Deno.Permissions());
check("permissions, status constructed", () => new Deno.PermissionStatus());
check("permissions, events", async () => {
  const status = await Deno.permissions.query({ name: "read" });
  const listener = () => {};
  return [
    status.addEventListener("change", listener),
    status.removeEventListener("change", listener),
    status instanceof EventTarget,
    status instanceof Deno.PermissionStatus,
  ];
});

check("pid and the like", () => [
  typeof Deno.pid,
  typeof Deno.ppid,
  Deno.pid !== Deno.ppid,
  typeof Deno.execPath(),
  Deno.execPath().startsWith("/"),
]);
check("uid and gid", () => [typeof Deno.uid(), typeof Deno.gid()]);
check("hostname", () => [Deno.hostname(), Deno.osRelease(), types(Deno.loadavg()), Number.isInteger(Deno.osUptime())]);
check("memory", () => [types(Deno.memoryUsage()), types(Deno.systemMemoryInfo()), types(Deno.cpuUsage?.() ?? {})]);
check("memory total", () => [Deno.systemMemoryInfo().total, Deno.systemMemoryInfo().swapTotal]);
check("networkInterfaces", () =>
  Deno.networkInterfaces()
    .map((one) => ({ ...one }))
    .sort((a, b) => (`${a.name}${a.address}` < `${b.name}${b.address}` ? -1 : 1)),
);
check("build", () => [Deno.build, Object.isFrozen(Deno.build)]);
check("version", () => [types(Deno.version), Deno.version.deno, Object.isFrozen(Deno.version)]);
check("args", () => [
  Deno.args.filter((arg) => !arg.startsWith("--")),
  Object.isFrozen(Deno.args),
  Deno.args.constructor.name,
]);
check("noColor", () => [Deno.noColor, typeof Deno.mainModule, Deno.mainModule.startsWith("file:///")]);
check("umask", () => [Deno.umask(0o77), Deno.umask(), Deno.umask(0o22)]);
check("exitCode", () => [Deno.exitCode, (Deno.exitCode = 5), Deno.exitCode, (Deno.exitCode = 0)]);
for (const wrong of ["x", "1", 1.5, null, undefined, Number.NaN, {}]) {
  check(`exitCode of ${typeof wrong} ${wrong}`, () => {
    try {
      Deno.exitCode = wrong;
    } finally {
      Deno.exitCode = 0;
    }
  });
}
check("exit asks unload", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["--version"] }).output();
  return [code, stdout.length > 0];
});
check("timers", () => {
  const timer = setTimeout(() => {}, 100_000);
  const said = [Deno.unrefTimer(timer), Deno.refTimer(timer)];
  clearTimeout(timer);
  return said;
});
check("timers, a wrong one", () => [Deno.refTimer(123456), Deno.unrefTimer(123456)]);

check("SeekMode", () => Deno.SeekMode);
check("errors", () => Object.keys(Deno.errors));
check("error classes", () =>
  Object.values(Deno.errors).map((Class) => {
    const error = new Class("why", { cause: 7 });
    return [
      error.name,
      error.message,
      error.cause,
      error instanceof Error,
      String(error),
      Object.keys(error),
      Object.hasOwn(error, "name"),
      Class.name,
    ];
  }),
);
check("namespace", () =>
  Object.keys(Deno)
    .map((name) => `${name}: ${name === "jupyter" ? "" : typeof Deno[name]}`)
    .filter((line) => !/Quic|^(lint|telemetry|internal|upgradeWebTransport):/.test(line))
    .sort(),
);

const inspected: [string, unknown, object?][] = [
  ["object", { a: 1, b: "text", c: null, d: undefined, e: 10n, f: true, g: Symbol("s") }],
  ["array", [1, 2, [3, [4, [5, [6]]]]]],
  ["deep", { a: { b: { c: { d: { e: { f: 1 } } } } } }],
  ["deeper", { a: { b: { c: { d: { e: { f: 1 } } } } } }, { depth: 1 }],
  ["string", "text"],
  ["quotes", ["it's", 'say "x"', "`b`", "a\nb", `'"\``]],
  ["number", -0],
  ["function", function named() {}],
  ["arrow", { call: () => {} }],
  ["class", class Thing {}],
  [
    "map",
    new Map([
      ["a", 1],
      ["b", 2],
    ]),
  ],
  ["set", new Set(["x", 2])],
  ["date", new Date(0)],
  ["regexp", /a+/g],
  ["typed", new Uint8Array([1, 2, 3])],
  ["null prototype", Object.assign(Object.create(null), { a: 1 })],
  ["many", Array.from({ length: 150 }, (_, index) => index)],
  ["long", Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`key${index}`, "value".repeat(3)]))],
  ["not compact", { a: { b: 1 } }, { compact: false }],
  ["sorted", { b: 1, a: 2 }, { sorted: true }],
  ["limit", [1, 2, 3, 4], { iterableLimit: 2 }],
  ["short", "x".repeat(200), { strAbbreviateSize: 10 }],
  ["short inside", { a: "x".repeat(200) }],
  ["escapes off", ["a\nb"], { escapeSequences: false }],
  [
    "getters",
    {
      get a() {
        return 1;
      },
    },
    { getters: true },
  ],
  [
    "getter",
    {
      get a() {
        return 1;
      },
    },
  ],
  ["colors", { a: 1, b: "x", c: null }, { colors: true }],
  ["hidden", Object.defineProperty({}, "secret", { value: 1, enumerable: false }), { showHidden: true }],
  ["custom", { [Symbol.for("Deno.customInspect")]: () => "as I like" }],
  ["custom with inspect", { [Symbol.for("Deno.customInspect")]: (inspect) => inspect({ x: 1 }) }],
  ["custom of Node", { [Symbol.for("nodejs.util.inspect.custom")]: () => "as Node likes" }],
  [
    "circular",
    (() => {
      const a = {};
      a.self = a;
      return a;
    })(),
  ],
  ["promise", Promise.resolve(5)],
  ["symbol keys", { [Symbol("k")]: 1 }],
  ["odd keys", { "a-b": 1, 5: 2 }],
  ["nested arrays of objects", [{ a: 1 }, { b: [1, 2] }]],
  ["width", { a: "x".repeat(30), b: "y".repeat(30) }, { breakLength: 200 }],
];
for (const [name, value, options] of inspected) check(`inspect ${name}`, () => Deno.inspect(value, options));
check("inspect an error", () => Deno.inspect(new RangeError("why")).split("\n")[0]);
check("inspect a system error", () => Deno.inspect(new Deno.errors.NotFound("why")).split("\n")[0]);
