// The guides in the terminal, and the manual page: everything in docs/ is there, fits, and has no marks of Markdown.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { marked } from "marked";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guideOf, guides } from "../../src/cli/guides/list.ts";
import { renderMarkdown } from "../../src/cli/guides/markdown.ts";
import { guideText } from "../../src/cli/guides/mod.ts";
import { widthOf, wrap } from "../../src/cli/guides/wrap.ts";
import { commandLine } from "../../src/cli/main.ts";
import { manualPage } from "../../src/cli/manual.ts";
import { flagOf, optionTable } from "../../src/options/table.ts";
import { painter } from "../../src/terminal/colors.ts";
import { fromSource, repository, run } from "../support/process.ts";

const plain = painter(false);
const render = (text: string, width = 80, paint = plain) => renderMarkdown(marked.lexer(text), { width, paint });

test("every guide of docs/ is listed, and found by its name and its file's", () => {
  const files = readdirSync(join(repository, "docs")).filter((name) => name.endsWith(".md"));
  assert.equal(
    guides()
      .map(({ file }) => file)
      .sort(),
    files.sort(),
  );
  for (const guide of guides()) {
    assert.is(guideOf(guide.name), guide);
    assert.is(guideOf(`docs/${guide.file}`), guide);
  }
  assert.is(guideOf("../package.json"), undefined);
});

test("each fits the terminal, but for code, and shows no Markdown", () => {
  for (const guide of guides()) {
    const text = guideText(guide);
    for (const width of [40, 80, 100]) {
      const lines = render(text, width).split("\n");
      for (const line of lines) {
        // Code stays as it is; a word may be wider than the terminal.
        if (line.startsWith("    ") || !line.trim().includes(" ")) continue;
        assert.ok(widthOf(line) <= width, `${guide.name} at ${width}: ${line}`);
      }
      const prose = lines.filter((line) => !line.startsWith("    ")).join("\n");
      assert.not.match(prose, /^#+ |^\|[-|]+\||\]\([\w./#-]+\)/m, guide.name);
    }
  }
});

test("colours begin and end on each line, so that columns stand beside each other", () => {
  const text = render(
    "| a | b |\n|---|---|\n| **bold words that are wrapped** | `code that is wrapped too` |\n",
    24,
    painter(true),
  );
  for (const line of text.split("\n")) {
    const codes = [...line.matchAll(/\x1b\[(\d+)m/g)].map(([, code]) => Number(code));
    const open = codes.filter((code) => ![22, 24, 39].includes(code)).length;
    assert.is(open * 2, codes.length, JSON.stringify(line));
  }
  assert.equal(wrap("one two three", 7), ["one two", "three"]);
  assert.equal(wrap("abcdefghij k", 4, true), ["abcd", "efgh", "ij k"]);
});

test("a table keeps words whole as long as it can", () => {
  const text = render(
    "| name | what |\n|---|---|\n| `readHeaderTimeout` | until a request's head is complete, as RFC 9112 has it |\n",
    40,
  );
  assert.match(text, /^readHeaderTimeout {2}until a request's$/m);
});

test("slipway help shows them: plain in a pipe, coloured when forced; what is misspelt is suggested", async () => {
  const help = (...args: string[]) => run([...fromSource, "help", ...args], { env: { FORCE_COLOR: "1" } });
  const [coloured, guide, wrong] = await Promise.all([help("exit-codes"), help("check", "--guide"), help("limts")]);
  assert.match(coloured.stdout, /^\x1b\[1m\x1b\[33mEXIT CODES\x1b\[39m\x1b\[22m\n/);
  assert.match(guide.stdout, /CHECK/);
  assert.is(
    wrong.stderr,
    "slipway: no verb and no guide is called 'limts' (did you mean limits?); slipway help lists them\n",
  );
  assert.is(wrong.code, 2);
});

test("the manual page has every verb and option, and mandoc finds nothing wrong with it", () => {
  const page = manualPage(commandLine([]));
  const shown = page.replaceAll("\\-", "-");
  for (const option of optionTable) assert.ok(shown.includes(`--${flagOf(option)}\\fR`), option.name);
  for (const command of commandLine([]).commands)
    assert.ok(shown.includes(`.SS "slipway ${command.name()}`), command.name());
  const { status, stdout, error } = spawnSync("mandoc", ["-Tlint", "-Wstyle"], { input: page, encoding: "utf8" });
  if (error === undefined) assert.is(stdout + status, "0");
});

test.run();
