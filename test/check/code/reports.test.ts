/** What `slipway check <file>` prints in each form, and how it ends. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { suite } from "uvu";
import { rules } from "../../../src/check/code/mod.ts";
import { withFiles } from "./support/marked.ts";

const main = resolve(import.meta.dirname, "../../../src/cli/main.ts");

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function slipway(cwd: string, ...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    execFile(process.execPath, [main, ...args], { cwd, timeout: 30_000 }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

const clean = { "server.ts": 'export default { fetch: () => new Response("ok") };\n' };
const dirty = {
  "server.ts": `export default {
  adminInsecure: true,
  async fetch(request: Request) {
\tconst größe = await fetch("https://example.com/ä"); await fetch("https://example.com/b");
    return new Response(String(größe));
  },
};
`,
};

const test = suite("check: reports");

test("0 and one line when there is nothing", () =>
  withFiles(clean, async (folder) => {
    assert.deepEqual(await slipway(folder, "check", "server.ts"), {
      code: 0,
      stdout: "nothing found in 1 file\n",
      stderr: "",
    });
  }));

test("1, by fault, worst first, each place with its code and carets", () =>
  withFiles(dirty, async (folder) => {
    const { code, stdout } = await slipway(folder, "check", "server.ts");
    assert.equal(code, 1);
    const [admin, fetches, last] = stdout.split("\n\n");
    assert.match(admin, /^error admin-on-all-interfaces\n {2}whoever .*\n {2}cure: .*\nserver\.ts:2:3\n/);
    assert.match(fetches, /^warning fetch-without-timeout, 2 places\n/);
    const code4 = 'const größe = await fetch("https://example.com/ä"); await fetch("https://example.com/b");';
    assert.ok(
      fetches.includes(`server.ts:4:22\n  4 | \t${code4}\n    | \t${" ".repeat(20)}${"^".repeat(30)}\n`),
      fetches,
    );
    assert.match(
      last,
      /^1 error, 2 warnings in 1 file\. To silence one, .*: \/\/ slipway-ignore admin-on-all-interfaces: <reason>\n$/,
    );
  }));

test("0 when there are notes alone", () =>
  withFiles({ "server.ts": "// slipway-ignore secret-in-source: none\nexport default {};\n" }, async (folder) => {
    const { code, stdout } = await slipway(folder, "check", "server.ts");
    assert.equal(code, 0);
    assert.match(stdout, /^info unused-silence\n/);
  }));

test("--json: findings with all that there is to know", () =>
  withFiles(dirty, async (folder) => {
    const { code, stdout } = await slipway(folder, "check", "server.ts", "--json");
    assert.equal(code, 1);
    const { findings, files, summary } = JSON.parse(stdout);
    assert.deepEqual(files, ["server.ts"]);
    assert.equal(summary, "1 error, 2 warnings");
    assert.deepEqual(findings[0], {
      id: "admin-on-all-interfaces",
      severity: "error",
      harm: rules[1].harm,
      cure: rules[1].cure,
      file: "server.ts",
      line: 2,
      column: 3,
      endLine: 2,
      endColumn: 22,
      code: "  adminInsecure: true,",
    });
  }));

test("--sarif: what SARIF 2.1.0 requires, and code hosts read", () =>
  withFiles({ "src/my server.ts": dirty["server.ts"] }, async (folder) => {
    const { code, stdout } = await slipway(folder, "check", "src/my server.ts", "--sarif");
    assert.equal(code, 1);
    const log = JSON.parse(stdout);
    // 3.13: version and runs; 3.14.6: tool; 3.18.2: driver; 3.19.8: name
    assert.equal(log.version, "2.1.0");
    assert.match(log.$schema, /sarif.*2\.1\.0.*\.json$/);
    assert.equal(log.runs.length, 1);
    const [{ tool, results, columnKind }] = log.runs;
    assert.equal(tool.driver.name, "slipway check");
    assert.equal(columnKind, "utf16CodeUnits");
    const known = tool.driver.rules.map(({ id }: { id: string }) => id);
    assert.equal(new Set(known).size, rules.length);
    for (const rule of tool.driver.rules) {
      // 3.11.8: a message string has text; 3.50.3: levels
      assert.ok(
        rule.shortDescription.text.length > 0 && rule.fullDescription.text.length > 0 && rule.help.text.length > 0,
      );
      assert.ok(["none", "note", "warning", "error"].includes(rule.defaultConfiguration.level));
    }
    assert.equal(results.length, 3);
    for (const { ruleId, ruleIndex, level, message, locations, partialFingerprints } of results) {
      assert.equal(known[ruleIndex], ruleId);
      assert.ok(["none", "note", "warning", "error"].includes(level));
      assert.ok(message.text.length > 0);
      const [{ physicalLocation }] = locations;
      // 3.4.3: a relative URI reference, escaped
      assert.equal(physicalLocation.artifactLocation.uri, "src/my%20server.ts");
      const { startLine, startColumn, endLine, endColumn } = physicalLocation.region;
      for (const one of [startLine, startColumn, endLine, endColumn]) assert.ok(Number.isInteger(one) && one >= 1);
      assert.ok(endLine > startLine || endColumn > startColumn);
      assert.match(partialFingerprints["slipwayCheck/v1"], /^[0-9a-f]{32}$/);
    }
    const prints = results.map((one: { partialFingerprints: object }) => JSON.stringify(one.partialFingerprints));
    assert.equal(new Set(prints).size, 3);
  }));

test("what is not a program is a document too, with one error at its place", () =>
  withFiles({ "src/my server.ts": 'const größe = "ä" );\nawait fetch("https://example.com");\n' }, async (folder) => {
    const json = await slipway(folder, "check", "src", "--json");
    assert.equal(json.code, 1, json.stderr);
    assert.equal(json.stderr, "");
    const { findings, files, summary } = JSON.parse(json.stdout);
    assert.equal(summary, "1 error");
    assert.deepEqual(files, ["src/my server.ts"]);
    assert.equal(findings.length, 1);
    const [{ harm, cure, ...rest }] = findings;
    assert.match(harm, /^Expected ";" but found "\)": this is no program/);
    assert.ok(cure.length > 0);
    const place = { file: "src/my server.ts", line: 1, column: 19, endLine: 1, endColumn: 20 };
    assert.deepEqual(rest, {
      ...{ id: "syntax-error", severity: "error", code: 'const größe = "ä" );' },
      ...place,
    });

    const sarif = await slipway(folder, "check", "src", "--sarif");
    assert.equal(sarif.code, 1, sarif.stderr);
    const [{ tool, results }] = JSON.parse(sarif.stdout).runs;
    assert.equal(results.length, 1);
    const [{ ruleId, ruleIndex, level, locations }] = results;
    assert.equal(level, "error");
    assert.equal(ruleId, "syntax-error");
    assert.equal(tool.driver.rules[ruleIndex].id, "syntax-error");
    assert.equal(locations[0].physicalLocation.artifactLocation.uri, "src/my%20server.ts");
    assert.equal(locations[0].physicalLocation.region.startColumn, 19);
  }));

test("what only the parser refuses, and what ends too early, are documents too", () =>
  withFiles(
    { "a.ts": "export default {", "b.ts": `${"(".repeat(20_000)}1${")".repeat(20_000)};\n` },
    async (folder) => {
      for (const file of ["a.ts", "b.ts"]) {
        const { code, stdout, stderr } = await slipway(folder, "check", file, "--json");
        assert.equal(code, 1, stderr);
        const [{ id, line, column, endColumn }] = JSON.parse(stdout).findings;
        assert.equal(id, "syntax-error", file);
        assert.ok(line >= 1 && column >= 1 && endColumn > column, stdout);
      }
    },
  ));

test("what is not a program is told as run tells it", () =>
  withFiles({ "server.ts": 'export default {\n  fetch: () => new Response("x";\n};\n' }, async (folder) => {
    const checked = await slipway(folder, "check", "server.ts");
    assert.deepEqual(checked, await slipway(folder, "run", "server.ts"));
    assert.equal(checked.code, 1);
    assert.match(checked.stderr, /^server\.ts:2:\d+: Expected "\)" but found ";"\n {2}2 \| /);
  }));

test("2 and one line for a wrong command line", () =>
  withFiles({ ...clean, "notes.md": "", "empty/readme.txt": "" }, async (folder) => {
    for (const [args, says] of [
      [["check", "sever.ts"], /there is no file sever\.ts \(did you mean server\.ts\?\)/],
      [["check", "notes.md"], /notes\.md is neither TypeScript nor JavaScript/],
      [["check", "empty"], /there is no TypeScript or JavaScript in empty/],
      [["check", "server.ts", "--json", "--sarif"], /--json and --sarif exclude each other/],
      [["check", "server.ts", "--quick"], /--quick is for a running server/],
      [["check", "server.ts", "http://localhost:1"], /one server at a time/],
      [["check", "server.ts", "--sarf"], /unknown option '--sarf' \(did you mean --sarif\?\)/],
    ] as const) {
      const { code, stdout, stderr } = await slipway(folder, ...args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    }
  }));

test("a folder, several files at once, and help", () =>
  withFiles({ "a/one.ts": 'await fetch("https://example.com");\n', "b.ts": "export {};\n" }, async (folder) => {
    assert.match((await slipway(folder, "check", "a", "b.ts")).stdout, /\n1 warning in 2 files\./);
    const { code, stdout } = await slipway(folder, "check", "--help");
    assert.equal(code, 0);
    assert.match(stdout, /slipway check server\.ts --sarif > check\.sarif/);
  }));

test.run();
