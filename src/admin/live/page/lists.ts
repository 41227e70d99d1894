/** What is better read than drawn: limits that fired, handshakes, tasks, threads, checks. */
import type { Snapshot, Totals } from "../snapshot.ts";
import { fill } from "./chart.ts";
import { element, setText } from "./dom.ts";
import { age, bytes, count, percent } from "./format.ts";
import { growth, type Point } from "./history.ts";

/** What is shown of one moment. */
export interface Shown {
  readonly points: readonly Point[];
  /** The window, in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly windowText: string;
  readonly now: Snapshot;
  /** The one before, of the same process. */
  readonly before: Snapshot | undefined;
}

interface ListSpec {
  readonly id: string;
  readonly title: string;
  readonly heads: (shown: Shown) => readonly string[];
  readonly rows: (shown: Shown) => readonly (readonly string[])[];
  /** In place of no rows; without it the whole list is left out. */
  readonly none?: string;
  readonly note?: (shown: Shown) => string;
  readonly wide?: boolean;
}

export class List {
  readonly card: HTMLElement;
  readonly #spec: ListSpec;
  readonly #head = element("thead");
  readonly #body = element("tbody");
  readonly #table: HTMLElement;
  readonly #none: HTMLElement;
  readonly #note = element("p", { class: "note" });

  constructor(spec: ListSpec) {
    this.#spec = spec;
    this.#none = element("p", { class: "none" }, spec.none ?? "");
    const table = element("table", {}, element("caption", {}, spec.title), this.#head, this.#body);
    this.#table = element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": spec.title }, table);
    this.card = element(
      "article",
      { class: `card ${spec.wide ? "wide" : spec.id}`, id: `list-${spec.id}` },
      element("h2", {}, spec.title),
      this.#none,
      this.#table,
      this.#note,
    );
  }

  show(shown: Shown): void {
    const rows = this.#spec.rows(shown);
    this.card.hidden = rows.length === 0 && this.#spec.none === undefined;
    this.#none.hidden = rows.length > 0;
    this.#table.hidden = rows.length === 0;
    const heads = this.#spec.heads(shown);
    const row = this.#head.firstElementChild ?? this.#head.appendChild(element("tr"));
    for (const [i, text] of heads.entries()) {
      setText(row.children[i] ?? row.appendChild(element("th", { scope: "col" })), text);
    }
    fill(this.#body, rows);
    const note = this.#spec.note?.(shown) ?? "";
    setText(this.#note, note);
    this.#note.hidden = note === "";
  }
}

export const LISTS: readonly ListSpec[] = [
  {
    id: "limits",
    title: "Limits that fired",
    none: "None so far.",
    heads: ({ windowText }) => ["Limit", `in ${windowText}`, "in all", "last"],
    rows: (shown) => grown(shown, ({ limits }) => limits),
  },
  {
    id: "handshakes",
    title: "TLS handshakes",
    none: "None so far.",
    heads: ({ windowText }) => ["Version, or end", `in ${windowText}`, "in all", "last"],
    rows: (shown) =>
      grown(shown, ({ handshakes }) => handshakes).map(([name, ...rest]) => [handshakeName(name), ...rest]),
  },
  {
    id: "checks",
    title: "Readiness checks",
    heads: () => ["Check", "when it last ran"],
    rows: ({ now }) =>
      now.checks.map(({ name, ok, ran }) => [name, ran ? (ok ? "passed" : "failed") : "not asked yet"]),
  },
  {
    id: "tasks",
    title: "Oldest tasks",
    none: "Nothing runs.",
    wide: true,
    heads: () => ["Task", "running", "oldest", "began at"],
    rows: ({ now }) =>
      now.tasks.oldest.map(({ name, count: running, oldestMs, startedAt }) => [
        name,
        count(running),
        age(oldestMs),
        startedAt ?? "–",
      ]),
    note: ({ now: { tasks } }) => {
      const more = tasks.names - tasks.oldest.length;
      const where =
        tasks.oldest.length > 0 && tasks.oldest.every(({ startedAt }) => startedAt === undefined)
          ? "Where the program’s own tasks began is remembered with --trace-tasks. "
          : "";
      return `${where}${more > 0 ? `And ${count(more)} more names.` : ""}`;
    },
  },
  {
    id: "workers",
    title: "Threads",
    wide: true,
    heads: () => ["Thread", "connections", "active", "requests/s", "turns/s", "at work", "heap"],
    rows: workerRows,
    note: ({ now: { deaths } }) => (deaths === 0 ? "" : `${count(deaths)} died and were replaced.`),
  },
];

function grown({ points, from, to }: Shown, of: (snapshot: Snapshot) => Totals): string[][] {
  return [...growth(points, from, of)]
    .sort(([, a], [, b]) => b.within - a.within || b.total - a.total)
    .map(([name, { total, within, lastAt }]) => [
      name,
      count(within),
      count(total),
      lastAt === undefined ? "before" : to - lastAt < 1000 ? "now" : `${age(to - lastAt)} ago`,
    ]);
}

function handshakeName(name: string): string {
  return name.replace(/^TLSv/, "TLS ").replace(/ resumed$/, ", resumed");
}

function workerRows({ now, before }: Shown): string[][] {
  return now.workers.map((worker) => {
    const { number, connections, active, heap } = worker;
    const last = before?.workers.find((one) => one.number === number);
    const seconds = before === undefined ? 0 : (now.time - before.time) / 1000;
    const rate = (key: "requests" | "turns"): string =>
      last === undefined || worker[key] < last[key] ? "–" : count((worker[key] - last[key]) / seconds);
    const atWork = last === undefined ? 0 : worker.loop.active - last.loop.active;
    const whole = last === undefined ? 0 : atWork + worker.loop.idle - last.loop.idle;
    const busy = whole > 0 ? percent(Math.max(0, atWork) / whole) : "–";
    return [String(number), count(connections), count(active), rate("requests"), rate("turns"), busy, bytes(heap)];
  });
}
