/**
 * All pages: every TypeScript block is right by its types, and every command of ours names a verb and flags that there
 * are. What programs and commands do is the business of the pages' own tests beside this one.
 */
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { comparison } from "../../scripts/compare-docs.ts";
import { declarations } from "../../scripts/docs/declarations.ts";
import { commandLine } from "../../src/cli/main.ts";
import { flagOf, optionTable } from "../../src/options/table.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";

const test = suite("blocks of all pages");
const pages = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...readdirSync(join(repository, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(repository, path), "utf8") }));

/** Pieces of programs stand for themselves: what they leave out is declared here, and in each as far as it imports nothing. */
const LEFT_OUT = `
declare global {
  ${["listen", "listenFd", "listenTls", "listenDatagram", "connect", "connectTls", "startTls", "go", "serve", "proxy", "serveConn", "serveDir", "serveFile", "broadcast"].map((name) => `var ${name}: typeof import("slipway").${name};`).join("\n  ")}
  // Its members are held against Deno's own types by the table of docs/deno.md.
  var Deno: any;
  interface RequestInit { client?: unknown }
  var socket: import("slipway").UpgradedWebSocket["socket"], lines: Iterable<string>;
  var otherCert: string, otherKey: string, clientCa: string;
  var conn: import("slipway").TcpConn, plain: import("slipway").TcpConn;
  var when: Date, root: string, cert: string, key: string;
  var readFile: typeof import("node:fs/promises").readFile;
  function talk(conn: import("slipway").Conn): Promise<void>;
  function handler(request: Request): Promise<Response>;
}
export {};
`;
/** Of bad examples: they are told why by \`slipway check\`. */
const BAD = "docs/check.md";

test("TypeScript is right by its types", async () => {
  const folder = temporaryFolder();
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), `{"type":"module"}`);
  writeFileSync(join(folder, "left-out.d.ts"), LEFT_OUT);
  const names = new Map<string, string>();
  for (const { path, text } of pages) {
    if (path === BAD) continue;
    let number = 0;
    for (const { 0: block, 1: code, index } of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      const line = text.slice(0, index).split("\n").length;
      const name = `${path.replaceAll(/\W/g, "-")}-${++number}.ts`;
      names.set(name, `${path}, line ${line}`);
      assert.ok(block.length > 0);
      writeFileSync(join(folder, name), `${code}\nexport {};\n`);
    }
  }
  assert.ok(names.size > 25, String(names.size));
  const types = declarations(repository, temporaryFolder());
  const compilerOptions = {
    ...{
      noEmit: true,
      strict: true,
      noImplicitAny: false,
      target: "esnext",
      module: "nodenext",
      moduleResolution: "nodenext",
      skipLibCheck: true,
    },
    ...{ allowImportingTsExtensions: true, resolveJsonModule: true, types: ["node"] },
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    jsx: "react-jsx",
    typeRoots: [join(repository, "node_modules/@types")],
    paths: { slipway: [join(types, "mod.d.ts")], "slipway/*": [join(types, "*/mod.d.ts")] },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const tsc = join(repository, "node_modules/.bin/tsc");
  const { stdout } = await run([tsc, "-p", "."], { cwd: folder, timeoutSeconds: 100 });
  const told = stdout.replaceAll(
    /^([\w-]+\.ts)\((\d+)/gm,
    (all, name, line) => `${names.get(name) ?? name} + ${line} (${all}`,
  );
  assert.is(told, "");
});

test("commands name verbs and flags that there are", () => {
  const program = commandLine([]);
  const verbs = new Map(program.commands.map((command) => [command.name(), command]));
  const ofServers = new Set(optionTable.map((option) => `--${flagOf(option)}`));
  const wrong: string[] = [];
  for (const { path, text } of pages) {
    for (const [, command] of text.matchAll(/(?:^|[`(]|&& |\$ |npx )slipway (?!-)([^`#&|\n]*)/gm)) {
      const [verb, ...words] = command.trim().split(/\s+/);
      if (!/^[a-z]+$/.test(verb)) continue;
      const known = verbs.get(verb);
      if (known === undefined) {
        wrong.push(`${path}: slipway ${command}: there is no verb ${verb}`);
        continue;
      }
      const end = words.indexOf("--");
      for (const word of end < 0 ? words : words.slice(0, end)) {
        const flag = /^--?[a-z][\w-]*/.exec(word)?.[0];
        if (flag === undefined) continue;
        const there = known.options.some(({ long, short }) => long?.split("[")[0] === flag || short === flag);
        if (!there && !["--help", "-h"].includes(flag) && !(verb === "run" && ofServers.has(flag)))
          wrong.push(`${path}: slipway ${command}: ${verb} has no ${flag}`);
      }
    }
  }
  assert.equal(wrong, []);
});

test("the comparison is what was measured", () => {
  assert.is(readFileSync(join(repository, "docs/compare.md"), "utf8"), comparison());
});

test.run();
