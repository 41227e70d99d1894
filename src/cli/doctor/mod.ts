/**
 * `slipway doctor`: this machine as a server meets it, on one screen, to be pasted into a bug report. No names of people,
 * no values of variables, no folders of theirs.
 */
import { paintFor, type Style } from "../../terminal/colors.ts";
import { examinations, type Finding, type Status } from "./findings.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { tried } from "./runtime.ts";

const STYLES: Readonly<Record<Status, Style>> = { ok: "green", warning: "yellow", wrong: "red" };

export async function doctor(json: boolean): Promise<void> {
  const machine = thisMachine();
  const findings = hidden([...(await tried(machine)), ...examined(machine)], machine);
  process.stdout.write(json ? `${JSON.stringify({ findings }, undefined, 2)}\n` : shown(findings));
  process.exitCode = findings.some(({ status }) => status === "wrong") ? 1 : 0;
}

export function examined(machine: Machine): Finding[] {
  return examinations.map((examine) => examine(machine)).filter((finding) => finding !== undefined);
}

function shown(findings: readonly Finding[]): string {
  const paint = paintFor(1);
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, status, says, cure }) => {
    const line = `${paint(STYLES[status], status.padEnd(7))}  ${name.padEnd(width)}  ${says}`;
    return cure === undefined ? [line] : [line, `${" ".repeat(width + 11)}→ ${cure}`];
  });
  return `${lines.join("\n")}\n`;
}

/** A path in an error's message may be somebody's. */
function hidden(findings: readonly Finding[], { home }: Machine): Finding[] {
  const without = (text: string) => (home.length > 1 ? text.replaceAll(home, "~") : text);
  return findings.map((finding) => ({ ...finding, says: without(finding.says) }));
}
