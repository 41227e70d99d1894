// Completions, asked of the shells themselves: verbs, flags, and values of flags.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { verbsOf } from "../../src/cli/command-spec.ts";
import { bash } from "../../src/cli/completions/bash.ts";
import { fish } from "../../src/cli/completions/fish.ts";
import { powershell } from "../../src/cli/completions/powershell.ts";
import { zsh } from "../../src/cli/completions/zsh.ts";
import { commandLine } from "../../src/cli/main.ts";
import { temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const verbs = verbsOf(commandLine([]));
const folder = temporaryFolder();
for (const name of ["server.ts", "notes.txt"]) writeFileSync(join(folder, name), "");
mkdirSync(join(folder, "shop"));

function shell(program: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(program, args, { cwd: folder, encoding: "utf8", timeout: 30_000 });
  assert.is(status, 0, `${stdout}${stderr}`);
  return stdout;
}

function has(program: string): boolean {
  return spawnSync(program, ["-c", "true"]).status === 0;
}

/** What is typed, and what must and must not be offered for the last word. */
const typed: readonly [words: readonly string[], offered: readonly string[], not: readonly string[]][] = [
  [[""], ["new", "run", "compile", "check", "doctor", "help"], ["server.ts"]],
  [["ru"], ["run"], ["new"]],
  [["run", "--tls-p"], ["--tls-pfx", "--tls-policy"], ["--port"]],
  [["run", "--log-format", ""], ["auto", "json", "text"], ["server.ts"]],
  [["new", "--template", ""], ["http", "tcp", "proxy", "minimal"], ["server.ts"]],
  [["help", "lim"], ["limits"], ["run"]],
  [["completions", ""], ["bash", "zsh", "fish", "powershell"], []],
  [["run", "s"], ["server.ts", "shop"], []],
  [["run", ""], ["server.ts"], ["notes.txt"]],
  [["run", "--tls-cert", "n"], ["notes.txt"], ["new"]],
];

function offers(answers: readonly (readonly string[])[]): void {
  for (const [i, [words, offered, not]] of typed.entries()) {
    const found = answers[i].map((one) => one.trim().replace(/\/$/, ""));
    for (const word of offered) assert.ok(found.includes(word), `${words.join(" ")}: ${word} in ${found}`);
    for (const word of not) assert.not.ok(found.includes(word), `${words.join(" ")}: ${word} in ${found}`);
  }
}

if (!has("bash")) skip(test, "bash", "bash is not installed");
else {
  test("bash", () => {
    const script = join(folder, ".bash");
    writeFileSync(script, bash(verbs));
    const tries = typed.map(
      ([words]) =>
        `COMP_WORDS=(slipway ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; COMPREPLY=(); _slipway; printf '%s\\t' "\${COMPREPLY[@]}"; echo`,
    );
    const out = shell(
      "bash",
      "--norc",
      "-c",
      `source ${script}; complete -p slipway >/dev/null || exit 1\n${tries.join("\n")}`,
    );
    offers(out.split("\n").map((line) => line.split("\t")));
    // The readline of bash takes --flag=value for three words.
    const equals = `source ${script}; COMP_WORDS=(slipway run --log-format = js); COMP_CWORD=4; _slipway; echo "\${COMPREPLY[@]}"`;
    assert.is(shell("bash", "--norc", "-c", equals), "json\n");
  });
}

if (!has("fish")) skip(test, "fish", "fish is not installed");
else {
  test("fish", () => {
    const script = join(folder, ".fish");
    writeFileSync(script, fish(verbs));
    const tries = typed.map(([words]) => `complete -C 'slipway ${words.join(" ")}'; echo ==`);
    const out = shell("fish", "--no-config", "-c", `source ${script}\n${tries.join("\n")}`);
    offers(out.split("==\n").map((answer) => answer.split("\n").map((line) => line.split("\t")[0])));
  });
}

if (!has("zsh")) skip(test, "zsh", "zsh is not installed");
else {
  test("zsh", () => {
    const functions = join(folder, ".zfunc");
    mkdirSync(functions);
    writeFileSync(join(functions, "_slipway"), zsh(verbs));
    // A terminal of its own, in which TAB is typed; each read waits for what must be offered.
    const asked: readonly [string, string][] = [
      ["slipway ", "doctor"],
      ["slipway run --tls-p", "--tls-policy"],
      ["slipway run --log-format ", "json"],
      ["slipway new --template ", "minimal"],
      ["slipway help lim", "limits"],
      ["slipway run ser", "server.ts"],
    ];
    const script = `zmodload zsh/zpty
zpty z 'TERM=dumb zsh -f -i'
zpty -w z "PS1='>'; fpath=(${functions} \\$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' menu no; LISTMAX=1000; stty cols 200 rows 60; cd ${folder}; print READ''Y"
zpty -r z out '*READY*'
${asked.map(([word, want]) => `zpty -w -n z '${word}'$'\\t\\t'; zpty -r z out '*${want}*' && print found; zpty -w -n z $'\\C-u'`).join("\n")}
zpty -d z`;
    assert.is(shell("zsh", "-f", "-c", script), "found\n".repeat(asked.length));
  });
}

test("no flag has anything but letters and dashes", () => {
  for (const { name, flags } of verbs)
    for (const { long } of flags) assert.match(long, /^--[a-z0-9-]+$/, `${name} ${long}`);
});

test("PowerShell's table has every verb and flag, and every quote is closed", () => {
  const script = powershell(verbs);
  for (const { name, flags } of verbs) {
    assert.match(script, new RegExp(`^ {4}'${name}' = \\[ordered\\]@\\{$`, "m"));
    for (const { long } of flags) assert.ok(script.includes(`      '${long}' = '`), long);
  }
  for (const line of script.split("\n")) assert.is((line.match(/'/g) ?? []).length % 2, 0, line);
});

test.run();
