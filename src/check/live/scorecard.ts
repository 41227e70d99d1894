/** Points and grades, and how they are shown: a line a family and what needs a look; of all attacks where that is asked for. */
import { type Family, families, type Verdict } from "./attack.ts";
import type { PeerTable } from "./peers.ts";
import type { Result } from "./run.ts";

export interface Score {
  readonly family: Family;
  readonly grade: string;
  readonly points: number;
  readonly of: number;
  readonly fails: number;
  readonly warns: number;
}

/** A pass is a point, a warning half of one; what was skipped counts for nothing. */
export function score(results: readonly Result[]): Score[] {
  return (Object.keys(families) as Family[]).flatMap((family) => {
    const mine = results.filter((result) => result.attack.family === family);
    const count = (verdict: Verdict): number => mine.filter(({ outcome }) => outcome.verdict === verdict).length;
    const of = mine.length - count("skip");
    if (mine.length === 0) return [];
    const points = count("pass") + count("warn") / 2;
    return [
      { family, grade: grade(points, of, count("fail")), points, of, fails: count("fail"), warns: count("warn") },
    ];
  });
}

/** A: nothing failed, and nine tenths of the points. A single failure is a B at best. */
function grade(points: number, of: number, fails: number): string {
  if (of === 0) return "-";
  const share = points / of;
  if (fails === 0 && share >= 0.9) return "A";
  if (share >= 0.85) return "B";
  if (share >= 0.7) return "C";
  return share >= 0.5 ? "D" : "F";
}

export function failed(results: readonly Result[]): boolean {
  return results.some(({ outcome }) => outcome.verdict === "fail");
}

export interface Shown {
  readonly target: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly results: readonly Result[];
  readonly peers: PeerTable;
  readonly color: boolean;
  /** Those that passed as well: some 700 lines. */
  readonly verbose: boolean;
}

const WORDS: Readonly<Record<Verdict, string>> = { pass: "PASS", warn: "WARN", fail: "FAIL", skip: "skip" };
const COLORS: Readonly<Record<Verdict, string>> = { pass: "32", warn: "33", fail: "31;1", skip: "2" };

/** The report as text. */
export function render(shown: Shown): string {
  const paint = (code: string, text: string): string => (shown.color ? `\x1b[${code}m${text}\x1b[0m` : text);
  const lines = [...overview(shown, paint), ""];
  if (shown.verbose) {
    lines.push(...troubles(shown, paint), ...table(shown, paint), "", paint("1", "In detail"));
    lines.push(...details(shown, paint), "", verdictLine(shown, paint));
  } else {
    const bad = shown.results.filter(({ outcome }) => outcome.verdict === "fail" || outcome.verdict === "warn");
    if (bad.length > 0) lines.push(...details({ ...shown, results: bad }, paint).slice(1), "");
    lines.push(verdictLine(shown, paint), "      --verbose shows every attack, and what others do with it.");
  }
  return [...lines, ""].join("\n");
}

type Paint = (code: string, text: string) => string;

function overview({ target, results, quick, seconds }: Shown, paint: Paint): string[] {
  const lines = [paint("1", `Scorecard of ${target}${quick ? " (quick)" : ""}, ${Math.round(seconds)} s`), ""];
  for (const { family, grade, points, of, fails, warns } of score(results)) {
    const worst: Verdict = fails > 0 ? "fail" : warns > 0 ? "warn" : "pass";
    const bar = of === 0 ? "" : "#".repeat(Math.round((points / of) * 20)).padEnd(20, ".");
    const troubles = `${fails > 0 ? `, ${fails} failed` : ""}${warns > 0 ? `, ${warns} to look at` : ""}`;
    lines.push(
      `  ${paint(COLORS[worst], grade)}  ${families[family].padEnd(22)} ${bar.padEnd(20)}  ${points} of ${of}${troubles}`,
    );
  }
  return lines;
}

/** What failed and what is to be looked at, above all the others. */
function troubles({ results }: Shown, paint: Paint): string[] {
  return (["fail", "warn"] as const).flatMap((verdict) => {
    const some = results.filter(({ outcome }) => outcome.verdict === verdict);
    const lines = some.map(
      ({ attack, outcome }) => `  ${paint(COLORS[verdict], WORDS[verdict])}  ${attack.name}: ${outcome.came}`,
    );
    return lines.length > 0 ? [...lines, ""] : [];
  });
}

/** One line an attack: this server beside the peers. */
function table({ results, peers }: Shown, paint: Paint): string[] {
  const measured = peers.peers.filter(({ missing }) => missing === undefined);
  const width = Math.max(...results.map(({ attack }) => attack.name.length)) + 2;
  const columns = ["here", ...measured.map(({ name }) => name)];
  const lines = [
    `${paint("1", "Every attack, and what defaults do with it".padEnd(width + 2))}${columns.map((name) => name.padEnd(6)).join("")}`,
    `  ${peersLine(peers)}`,
  ];
  for (const { name, mine } of byFamily(results)) {
    lines.push("", paint("1", name));
    for (const { attack, outcome } of mine) {
      const verdicts = [outcome.verdict, ...measured.map((peer) => peer.results[attack.id]?.verdict)];
      const cells = verdicts.map((verdict) => (verdict === undefined ? "".padEnd(6) : cell(verdict, paint)));
      lines.push(`  ${attack.name.padEnd(width)}${cells.join("")}`.trimEnd());
    }
  }
  return lines;
}

/** What was sent, wanted and seen, here and by the peers. */
function details({ results, peers }: Shown, paint: Paint): string[] {
  const lines: string[] = [];
  for (const { name, mine } of byFamily(results)) {
    lines.push("", paint("1", name));
    for (const { attack, outcome } of mine) {
      lines.push(
        `  ${cell(outcome.verdict, paint)}${attack.name}  ${paint("2", attack.id)}`,
        `        sent  ${attack.sent}`,
        `        want  ${attack.want} (${attack.rule})`,
        `        came  ${outcome.came}`,
        ...peersOf(attack.id, peers).map((text) => `        ${paint("2", text)}`),
      );
    }
  }
  return lines;
}

function cell(verdict: Verdict, paint: Paint): string {
  return `${paint(COLORS[verdict], WORDS[verdict])}  `;
}

function byFamily(results: readonly Result[]): { name: string; mine: readonly Result[] }[] {
  return (Object.keys(families) as Family[]).flatMap((family) => {
    const mine = results.filter(({ attack }) => attack.family === family);
    return mine.length === 0 ? [] : [{ name: families[family], mine }];
  });
}

function peersLine(peers: PeerTable): string {
  const named = peers.peers.map(({ name, version, missing }) => `${name} ${missing ?? version}`).join(", ");
  return `${named}: measured by scripts/bench/check-peers.ts on ${peers.date} (${peers.machine})`;
}

/** Peers that did the same share a line. */
function peersOf(id: string, { peers }: PeerTable): string[] {
  const saw = new Map<string, string[]>();
  for (const { name, results } of peers) {
    const result = results[id];
    if (result === undefined) continue;
    const text = `${WORDS[result.verdict]}  ${result.came}`;
    saw.set(text, [...(saw.get(text) ?? []), name]);
  }
  return [...saw].map(([text, names]) => `${names.join(", ")}: ${text}`);
}

function verdictLine({ results, peers }: Shown, paint: Paint): string {
  const count = (verdict: Verdict): number => results.filter(({ outcome }) => outcome.verdict === verdict).length;
  const worst: Verdict = count("fail") > 0 ? "fail" : count("warn") > 0 ? "warn" : "pass";
  const ours = `${count("pass")} passed, ${count("fail")} failed, ${count("warn")} to look at, ${count("skip")} skipped`;
  const ids = new Set(results.map(({ attack }) => attack.id));
  const theirs = peers.peers
    .filter(({ missing }) => missing === undefined)
    .map(({ name, results: all }) => {
      const fails = Object.entries(all).filter(([id, { verdict }]) => ids.has(id) && verdict === "fail").length;
      return `${name} ${fails}`;
    });
  const same = theirs.length === 0 ? "" : ` Of the same attacks defaults fail: ${theirs.join(", ")}.`;
  return `${paint(COLORS[worst], WORDS[worst])}  ${ours}.${same}`;
}

/** The same for programs. */
export function toJson({ target, results, quick, seconds, peers }: Shown): string {
  const report = {
    target,
    quick,
    seconds: Math.round(seconds * 10) / 10,
    failed: failed(results),
    families: score(results).map((each) => ({ ...each, name: families[each.family] })),
    attacks: results.map(({ attack, outcome, seconds: took }) => ({
      id: attack.id,
      family: attack.family,
      name: attack.name,
      verdict: outcome.verdict,
      sent: attack.sent,
      want: attack.want,
      rule: attack.rule,
      came: outcome.came,
      seconds: Math.round(took * 10) / 10,
      peers: Object.fromEntries(
        peers.peers.flatMap(({ name, results: all }) => (all[attack.id] === undefined ? [] : [[name, all[attack.id]]])),
      ),
    })),
    peers: { date: peers.date, machine: peers.machine, versions: versionsOf(peers) },
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function versionsOf({ peers }: PeerTable): Record<string, string> {
  return Object.fromEntries(peers.map(({ name, version, missing }) => [name, missing ?? version]));
}
