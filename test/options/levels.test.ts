// Flag beats environment beats file beats default, for every option of the table; and what is said of each.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { showConfig } from "../../src/options/help.ts";
import { doubtful, readEnvironment, readFile, readFlags, resolve, unlimited } from "../../src/options/resolve.ts";
import { flagOf, type Option, type OptionName, optionTable, variableOf } from "../../src/options/table.ts";
import { showValue } from "../../src/options/value.ts";

/** Three values of an option that differ from each other and from its default, as text and as a program has them. */
function samples(option: Option): readonly (readonly [string, unknown])[] {
  switch (option.kind) {
    case "duration":
      return [
        ["11s", "11s"],
        ["12s", 12_000],
        ["13000", "13s"],
      ];
    case "size":
    case "rate":
      return [
        ["11KiB", "11KiB"],
        ["12KiB", 12_288],
        ["13312", "13KiB"],
      ];
    case "count":
    case "port":
      return [
        ["11", 11],
        ["12", 12],
        ["13", 13],
      ];
    case "flag":
      return [
        ["true", true],
        ["false", false],
        ["1", true],
      ];
    case "choice": {
      const [one, other] = option.choices.slice(-2);
      return [
        [one, one],
        [other, other],
        [one, one],
      ];
    }
    case "text":
      return [
        ["one", "one"],
        ["two", "two"],
        ["three", "three"],
      ];
    case "list":
      return [
        ["10.0.0.1,::1", ["10.0.0.1", "::1"]],
        ["10.0.0.2", "10.0.0.2"],
        ["a b", ["a", "b"]],
      ];
  }
}

for (const option of optionTable) {
  const name = option.name as OptionName;
  test(`${name}: every place, and which beats which`, () => {
    const [flag, variable, field] = samples(option);
    const flags = readFlags({ [flagOf(option)]: option.kind === "flag" ? flag[1] : flag[0] });
    const environment = readEnvironment({ [variableOf(option)]: variable[0] });
    const file = readFile({ [name]: field[1] }, "server.ts");
    const values = [flags.values[name], environment.values[name], file.values[name]];
    assert.ok(values.every((value) => value !== undefined));
    const shown = (level: number) => showValue(option, values[level]);
    const entry = (...levels: Parameters<typeof resolve>[0]) =>
      resolve(levels).entries.find((one) => one.name === name);
    assert.equal(entry(flags, environment, file), {
      name,
      value: shown(0),
      source: "flag",
      from: `--${flagOf(option)}`,
    });
    assert.equal(entry(environment, file), { name, value: shown(1), source: "environment", from: variableOf(option) });
    assert.equal(entry(file), { name, value: shown(2), source: "file", from: "server.ts" });
    assert.is(resolve([environment, file]).settings[name], values[1]);
    const { settings, entries } = resolve([]);
    assert.equal(settings[name], option.default);
    // Of the address, only what holds is shown.
    if (name === "unix" || name === "listen") assert.is(entry(), undefined);
    else {
      const normal = entries.find((one) => one.name === name);
      assert.equal(normal, { name, value: showValue(option, option.default), source: "default", from: undefined });
    }
  });

  test(`${name}: a bad value is said where it stands`, () => {
    if (option.kind === "text" || option.kind === "list") {
      assert.throws(() => readFlags({ [flagOf(option)]: "" }), new RegExp(`^--${flagOf(option)} is empty: give `));
      assert.is(readEnvironment({ [variableOf(option)]: "" }).values[name], undefined);
    } else {
      const start = new RegExp(`^the environment's ${variableOf(option)} must be `);
      assert.throws(() => readEnvironment({ [variableOf(option)]: "?" }), start);
      assert.throws(() => readFlags({ [flagOf(option)]: "?" }), new RegExp(`^--${flagOf(option)} must be `));
    }
    const start = new RegExp(`^server\\.ts: '${name}' of the default export must be `);
    assert.throws(() => readFile({ [name]: {} }, "server.ts"), start);
    assert.throws(() => readFile({ [name]: null }, "server.ts"), start);
  });
}

test("names: no two options share a flag, a variable or a letter", () => {
  const all = optionTable
    .flatMap((option) => [option.name, `--${flagOf(option)}`, variableOf(option), option.short ?? []])
    .flat();
  assert.is(new Set(all).size, all.length);
});

test("flags as commander leaves them are the same ones", () => {
  assert.equal(readFlags({ readTimeout: "2m", host: "::1" }).values, { hostname: "::1", readTimeout: 120_000 });
  assert.equal(readFlags({ accessLog: false }).values, { accessLog: false });
});

test("in a file a port is a number and a flag is true, as TypeScript has them", () => {
  assert.throws(() => readFile({ port: "8000" }, "s.ts"), /'port' of the default export must be a whole number/);
  assert.throws(() => readFile({ accessLog: "true" }, "s.ts"), /must be true or false, not "true"/);
});

test("only a plain object's own fields are options, but for the address", () => {
  class App {
    port = 3;
    readTimeout = 1;
    listen(): void {}
  }
  assert.equal(readFile(new App() as never, "s.ts").values, { port: 3 });
  assert.equal(readFile(Object.create({ readTimeout: 1 }), "s.ts").values, {});
  assert.equal(readFile({ readTimeout: 1 }, "s.ts").values, { readTimeout: 1 });
});

test("what excludes each other does so at one place only", () => {
  assert.throws(() => readFlags({ unix: "x", port: "1" }), /--unix and --port exclude each other: a server listens on/);
  assert.throws(() => readFlags({ listen: [":1"], host: "x" }), /--listen and --host exclude each other: give every/);
  assert.throws(
    () => readEnvironment({ SLIPWAY_UNIX: "x", SLIPWAY_PORT: "1" }),
    /SLIPWAY_UNIX and SLIPWAY_PORT are both set/,
  );
  assert.throws(() => readFile({ unix: "x", port: 1 }, "s.ts"), /has both 'port' and 'unix': keep one of them/);
  const { entries } = resolve([readFlags({ listen: [":1"] }), readEnvironment({ SLIPWAY_PORT: "1" })]);
  assert.not.ok(entries.some(({ name }) => name === "port"));
});

test("no limit is warned about, unless it is so by default", () => {
  const free = (...levels: Parameters<typeof resolve>[0]) => unlimited(resolve(levels)).map(({ name }) => name);
  assert.equal(free(), []);
  assert.equal(free(readFlags({ readTimeout: "none" }), readFile({ maxBodyBytes: "none" }, "s.ts")), [
    "readTimeout",
    "maxBodyBytes",
  ]);
  assert.equal(free(readFlags({ readTimeout: "1s" }), readFile({ readTimeout: "none" }, "s.ts")), []);
});

test("small bare numbers are doubted: Bun's timeouts are in seconds", () => {
  const said = (...levels: Parameters<typeof resolve>[0]) => doubtful(resolve(levels), levels);
  assert.equal(said(readFile({ idleTimeout: 30 }, "s.ts")), [
    `s.ts: 'idleTimeout' of the default export is 30 milliseconds: write "30s" for seconds, or "30ms" if it is meant`,
  ]);
  assert.equal(said(readFlags({ idleTimeout: "10" })).length, 1);
  assert.equal(said(readFlags({ idleTimeout: "10ms", readTimeout: "1000", maxHeaderCount: "5", drainDelay: "0" })), []);
  // Another place's value holds.
  assert.equal(said(readFlags({ idleTimeout: "1m" }), readFile({ idleTimeout: 30 }, "s.ts")), []);
});

test("shown in columns", () => {
  const text = showConfig(resolve([readFlags({ "read-timeout": "2m" })]).entries);
  assert.match(text, /^port {22}8000 {3,}default$/m);
  assert.match(text, /^readTimeout {15}2m {5,}flag --read-timeout$/m);
  assert.is(new Set(text.split("\n").map((line) => line.search(/(default|flag --\S+)$/))).size, 2);
});

test.run();
