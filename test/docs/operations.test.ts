// time limit: 240 s
// docs/operations.md: its commands give what it prints, its metrics are those of a scrape, its flags exist.
//
// A console block is run in one bash, with `slipway` from source and ports of its own; `…` stands for anything. A line
// that starts a server is over when the server listens.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { optionTable, variableOf } from "../../src/options/table.ts";
import { endProcesses, fromSource, repository, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const page = readFileSync(join(repository, "docs/operations.md"), "utf8");
const pages = new Map(
  ["README.md", ...readdirSync(join(repository, "docs")).map((name) => `docs/${name}`)]
    .filter((name) => name.endsWith(".md"))
    .map((name) => [name, readFileSync(join(repository, name), "utf8")]),
);

/** The fenced blocks of one language, with the heading that each stands under. */
function blocks(language: string): { heading: string; text: string }[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((found) => ({
    heading:
      page
        .slice(0, found.index)
        .match(/^#+ .*$/gm)
        ?.at(-1) ?? "",
    text: found[1],
  }));
}

// ---- the commands

const folder = temporaryFolder();
const bin = temporaryFolder();
writeFileSync(join(bin, "slipway"), `#!/bin/sh\nexec ${fromSource.map((word) => `'${word}'`).join(" ")} "$@"\n`);
chmodSync(join(bin, "slipway"), 0o755);
const path = `${bin}${delimiter}${process.env.PATH}`;
const program = blocks("ts").find(({ text }) => text.startsWith("// shop.ts\n"))?.text ?? "";
writeFileSync(join(folder, "shop.ts"), program);

interface Step {
  readonly command: string;
  readonly output: string;
}

/** What is typed, and what comes. */
function steps(text: string): Step[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...output] = part.split("\n");
      return { command, output: output.join("\n").trim() };
    });
}

/** One bash for all of a block; everything goes to one file, in the order of time. */
function script(all: readonly Step[], out: string): string {
  const lines = [
    "set -m",
    `exec >>'${out}' 2>&1`,
    "groups=()",
    `trap 'for group in "\${groups[@]}"; do kill -KILL -- -$group; done 2>/dev/null' EXIT`,
  ];
  for (const [i, { command }] of all.entries()) {
    const log = /2> (\S+)/.exec(command)?.[1] ?? out;
    const serves = /^slipway run .*&$/.test(command);
    // There before the server is, and without what the last one wrote.
    if (serves && log !== out) lines.push(`: > '${log}'`);
    lines.push(`echo "@@@ ${i}"`, command);
    if (!serves) continue;
    const seen = log === out ? `sed -n '/^@@@ ${i}$/,$p' '${log}'` : `cat '${log}'`;
    lines.push(`groups+=($!); for ((n = 0; n < 400; n++)); do ${seen} | grep -q Listening && break; sleep 0.05; done`);
  }
  return lines.join("\n");
}

/** `…` is anything, and so many spaces as there happen to be. */
function pattern(expected: string): RegExp {
  const literal = expected.split("…").map((text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/ +/g, " +"));
  return new RegExp(`^${literal.join("[\\s\\S]*?")}$`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const tests = suite("docs/operations.md");

for (const [i, { heading, text }] of blocks("console").entries()) {
  const name = `${heading} (${i + 1}) gives what it prints`;
  const activation = text.includes("systemd-socket-activate");
  if (activation && !existsSync("/usr/bin/systemd-socket-activate")) {
    skip(tests, name, "there is no systemd-socket-activate");
    continue;
  }
  tests(name, async () => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const here = text.replaceAll(/\b8000\b/g, String(port)).replaceAll(/\b9090\b/g, String(adminPort));
    const all = steps(here);
    const out = join(folder, `out.${i}`);
    writeFileSync(out, "");
    await run(["bash", "-c", script(all, out)], {
      cwd: folder,
      env: {
        PATH: path,
        // What was passed by a supervisor gives way to a variable.
        SLIPWAY_PORT: activation ? undefined : String(port),
        NODE_OPTIONS: undefined,
        // Where the warning is what the block shows, it is the default's.
        ...(text.includes("main thread was blocked") ? { SLIPWAY_STALL_WARNING: undefined } : {}),
      },
      timeoutSeconds: 120,
    });
    const parts = readFileSync(out, "utf8")
      .split(/^@@@ \d+\n/m)
      .slice(1);
    for (const [n, { command, output }] of all.entries()) {
      // Without what a shell says of its jobs.
      const actual = (parts[n] ?? "").replaceAll(/\r|^\[\d\][+-]? .*\n/gm, "").trim();
      assert.ok(pattern(output).test(actual), `$ ${command}\n--- the page says\n${output}\n--- it gave\n${actual}`);
    }
  });
}

// ---- metrics

interface Scrape {
  /** Families by the name that their samples have, without the suffixes of histograms; and their type. */
  readonly families: ReadonlyMap<string, string>;
  /** Every sample's name, and the values of its labels. */
  readonly samples: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
}

let scraped: Promise<Scrape> | undefined;
const scrape = (): Promise<Scrape> => (scraped ??= scrapeServer());

async function scrapeServer(): Promise<Scrape> {
  const server = start([...fromSource, "run", "shop.ts", "--port", "0", "--admin", "127.0.0.1:0"], { cwd: folder });
  const [, admin] = await server.saw(/Admin port on (\S+)/);
  const [, url] = await server.saw(/Listening on (\S+)/);
  // So that there is a task.
  await (await fetch(`${url}mail`)).text();
  const text = await (await fetch(`${admin}metrics`)).text();
  await server.stop();
  const suffixes: Record<string, string> = { counter: "_total", info: "_info" };
  const families = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name + (suffixes[type] ?? ""), type]),
  );
  const samples = new Map<string, Map<string, Set<string>>>();
  for (const [, name, labels = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = samples.get(name) ?? new Map<string, Set<string>>();
    samples.set(name, known);
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }
  return { families, samples };
}

tests("every metric of a scrape is in the tables, with its type, and no other", async () => {
  const { families } = await scrape();
  const rows = [...page.matchAll(/^\| `([a-z_0-9]+)` \| (counter|gauge|histogram|info) \|/gm)];
  const documented = rows.map(([, name, type]) => `${name} ${type}`).sort();
  assert.equal(documented, [...families].map(([name, type]) => `${name} ${type}`).sort());
});

tests("every metric that any page names is in a scrape", async () => {
  const { families, samples } = await scrape();
  for (const [name, text] of pages) {
    for (const [metric] of text.matchAll(/\b(?:slipway|http_server)_[a-z_0-9]+/g)) {
      assert.ok(families.has(metric) || samples.has(metric), `${name} names ${metric}`);
    }
  }
});

tests("queries and alerts ask for series and labels that exist", async () => {
  const { samples } = await scrape();
  const rules = blocks("yaml").filter(({ text }) => text.startsWith("# alerts.yml"));
  const queries = [...blocks("promql"), ...rules].map(({ text }) => text).join("\n");
  let asked = 0;
  for (const [, metric, selectors = ""] of queries.matchAll(
    /(?<!["\w{,])((?:slipway|http_server|process|nodejs)_\w+)(?:\{([^}]*)\})?/g,
  )) {
    const labels = samples.get(metric);
    assert.ok(labels, `a query asks for ${metric}`);
    asked++;
    for (const [, label, operator, value] of selectors.matchAll(/(\w+)(!?=~?|!~)"([^"]*)"/g)) {
      const values = labels.get(label);
      assert.ok(values, `a query asks for ${metric} by ${label}`);
      if (!operator.includes("~")) assert.ok(values.has(value), `a query asks for ${metric}{${label}="${value}"}`);
    }
  }
  assert.ok(asked > 30, String(asked));
  for (const [, list] of queries.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of list.split(/,\s*/)) {
      // Those that Prometheus itself adds.
      const known = ["job", "instance"].includes(label) || [...samples.values()].some((labels) => labels.has(label));
      assert.ok(known, `a query sums by ${label}`);
    }
  }
});

// ---- names of options

tests("every flag and variable that is ours exists", async () => {
  const texts = await Promise.all(
    ["run", "check", "compile", "new"].map(async (verb) => (await run([...fromSource, "help", verb])).stdout),
  );
  const known = new Set(texts.join("\n").match(/--[a-z-]+/g));
  // Of compiled servers alone: test/cli/compiled.test.ts.
  known.add("--healthcheck");
  const ours = [
    ...page.matchAll(/`(--[a-z-]+)[^`]*`/g),
    ...page.matchAll(/(?:slipway (?:run|check|compile)|ExecStart=\S+)([^|;&\n`]*)/g),
  ].flatMap(([, text]) => text.match(/--[a-z-]+/g) ?? []);
  assert.ok(ours.length > 20);
  for (const flag of ours) assert.ok(known.has(flag), flag);
  // The poller is no option of a server: it is chosen once a process, and the same for all.
  const variables = new Set([...optionTable.map(variableOf), "SLIPWAY_POLLER"]);
  for (const [variable] of page.matchAll(/SLIPWAY_[A-Z_]+/g)) assert.ok(variables.has(variable), variable);
});

// ---- other people's formats

tests("units are sections of settings", () => {
  const units = blocks("ini");
  assert.is(units.length, 2);
  for (const { text } of units) {
    for (const line of text.split("\n")) assert.match(line, /^(?:|#.*|\[[A-Z]\w+\]|[A-Z]\w+=\S.*)$/);
  }
});

tests("YAML is indented by two, with a key or an item on each line", () => {
  for (const { heading, text } of blocks("yaml")) {
    let before = 0;
    for (const line of text.trimEnd().split("\n")) {
      if (line.startsWith("#")) continue;
      assert.match(line, /^ *(?:- )?(?:[\w.-]+:(?: \S.*)?|\{ .* \})$/, heading);
      const indent = line.search(/\S/);
      assert.is(indent % 2, 0, line);
      assert.ok(indent <= before + 4, line);
      before = indent;
      for (const [open, close] of ["{}", "[]", "()"]) {
        assert.is(line.split(open).length, line.split(close).length, line);
      }
    }
  }
});

tests("links name headings and pages that exist", () => {
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s+/g, "-");
  for (const [, file, fragment] of page.matchAll(/\]\(([\w.-]*)(?:#([\w-]+))?\)/g)) {
    const text = file === "" ? page : pages.get(`docs/${file}`);
    assert.ok(text, `docs/${file}`);
    if (fragment === undefined) continue;
    const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));
    assert.ok(headings.includes(fragment), `${file}#${fragment}`);
  }
});

tests("files and folders of ours that any page names exist", () => {
  for (const [name, text] of pages) {
    for (const [, file] of text.matchAll(/`((?:ffi|src|scripts|test|templates)\/[\w./-]*)`/g)) {
      // What the guide for the next system leaves to its reader.
      if (/\b(?:NAME|MECHANISM)\b/.test(file)) continue;
      assert.ok(existsSync(join(repository, file)), `${name} names ${file}`);
    }
  }
});

tests.after(endProcesses);
tests.run();
