/**
 * The live page: takes a snapshot a second from the server that it came from (source.ts), remembers a quarter of an hour
 * of them (history.ts), and shows them. It asks for nothing else, and keeps nothing but how it is to look.
 */
import type { Snapshot } from "../snapshot.ts";
import { Chart } from "./chart.ts";
import { CHARTS } from "./charts.ts";
import { byId, element, memory, setText } from "./dom.ts";
import { age, count, plural, time } from "./format.ts";
import { History, type Point } from "./history.ts";
import { LISTS, List } from "./lists.ts";
import { listen } from "./source.ts";
import { Tiles } from "./tiles.ts";

type State = "connecting" | "live" | "paused" | "draining" | "lost";

const history = new History();
const tiles = new Tiles();
const charts = CHARTS.map((spec) => new Chart(spec));
const lists = LISTS.map((spec) => new List(spec));
const dark = matchMedia("(prefers-color-scheme: dark)");

let windowMs = 60_000;
/** The points as they were when somebody paused. */
let frozen: readonly Point[] | undefined;
/** When the connection was lost, by the server's clock; and a clock that goes on from its last word. */
let lostAt: number | undefined;
let heardAt = 0;
/** Of the server that this page came from. */
let version: string | undefined;

byId("tiles").append(tiles.list);
byId("charts").append(...charts.map(({ card }) => card));
byId("lists").append(...lists.map(({ card }) => card));

// ---- what the server says

listen({
  snapshot(snapshot) {
    // A newer one has a page of its own, and snapshots that this page may not know.
    if (version !== undefined && version !== snapshot.version) return location.reload();
    version = snapshot.version;
    lostAt = undefined;
    heardAt = performance.now();
    history.add(snapshot);
    show();
  },
  lost() {
    history.gap();
    lostAt ??= history.last?.at ?? Date.now();
    show();
  },
});

// While nothing comes, time goes on all the same.
setInterval(() => {
  if (lostAt !== undefined) show();
}, 1000);

function show(): void {
  const points = frozen ?? history.points;
  const known = points.filter(({ snapshot }) => snapshot !== undefined);
  const last = known.at(-1);
  showState(last?.snapshot);
  if (last?.snapshot === undefined) return;
  const { snapshot: now } = last;
  const before = known.at(-2)?.snapshot;
  const to = last.at + (lostAt !== undefined && frozen === undefined ? performance.now() - heardAt : 0);
  const from = to - windowMs;
  const within = points.filter(({ at }) => at >= from - 2000);
  tiles.show(last, now);
  for (const chart of charts) chart.draw(within, from, to);
  const poller = charts[CHARTS.findIndex(({ id }) => id === "poller")];
  poller.note(`${now.poller === "uring" ? "io_uring" : now.poller}, turns and events a second`);
  const windowText = `${windowMs / 60_000} min`;
  const same = before?.started === now.started ? before : undefined;
  for (const list of lists) list.show({ points, from, to, windowText, now, before: same });
  showFacts(now);
}

function showState(now: Snapshot | undefined): void {
  const state = stateNow(now);
  const status = byId("status");
  status.dataset.state = state;
  setText(byId("status-text"), STATES[state]);
  const notice = byId("notice");
  notice.hidden = state !== "lost" && state !== "draining";
  notice.dataset.state = state;
  const progress = byId<HTMLProgressElement>("notice-progress");
  const { drain } = now ?? {};
  progress.hidden = state !== "draining" || drain === undefined || drain.timeoutMs === null;
  if (state === "lost" && lostAt !== undefined) {
    setText(
      byId("notice-text"),
      `Disconnected since ${time(lostAt)}. The server has ended or can’t be reached; the page asks again every second.`,
    );
  } else if (state === "draining" && now !== undefined && drain !== undefined) {
    setText(byId("notice-text"), drainText(now, drain));
    progress.max = drain.timeoutMs ?? 1;
    progress.value = Math.min(drain.sinceMs, progress.max);
  }
}

const STATES: Readonly<Record<State, string>> = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  draining: "Draining",
  lost: "Disconnected",
};

function stateNow(now: Snapshot | undefined): State {
  if (frozen !== undefined) return "paused";
  if (lostAt !== undefined) return "lost";
  if (now === undefined) return "connecting";
  return now.drain === undefined ? "live" : "draining";
}

type Drain = NonNullable<Snapshot["drain"]>;

function drainText({ connections, atWork, tasks }: Snapshot, { sinceMs, delayMs, timeoutMs }: Drain): string {
  const idle = plural(connections.idle, "idle connection");
  const left = `${plural(atWork, "request")} at work, ${idle}, ${plural(tasks.own, "task")}`;
  const phase =
    delayMs !== null && sinceMs < delayMs ? `New connections are served for ${age(delayMs - sinceMs)} more. ` : "";
  const end = timeoutMs === null ? "" : ` What is left after ${age(timeoutMs)} is cut.`;
  return `Draining for ${age(sinceMs)}. ${phase}Left: ${left}.${end}`;
}

function showFacts(now: Snapshot): void {
  const { servers, connections, descriptors } = now;
  const facts: Record<string, string> = {
    Slipway: now.version,
    Node: now.node,
    Process: String(now.pid),
    Running: age(now.time - now.started),
    Servers: Object.entries(servers)
      .filter(([, number]) => number > 0)
      .map(([state, number]) => `${number} ${state}`)
      .join(", "),
    Sockets: count(connections.sockets),
    Descriptors: `${count(descriptors.open)}${descriptors.most === null ? "" : ` of ${count(descriptors.most)}`}`,
    "Outgoing connections": count(connections.outgoing),
    Stalls: count(now.stalls),
  };
  const list = byId("facts");
  for (const [i, [name, value]] of Object.entries(facts).entries()) {
    const fact = list.children[i] ?? list.appendChild(element("div", {}, element("dt", {}, name), element("dd")));
    setText(fact.children[1], value === "" ? "–" : value);
  }
}

// ---- what somebody wants

function pause(): void {
  frozen = frozen === undefined ? history.points : undefined;
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(frozen !== undefined));
  show();
}

function setWindow(seconds: number): void {
  windowMs = seconds * 1000;
  memory.set("window", String(seconds));
  for (const input of document.querySelectorAll<HTMLInputElement>("input[name=window]")) {
    input.checked = Number(input.value) === seconds;
  }
  show();
}

function setTables(on: boolean): void {
  document.body.dataset.view = on ? "tables" : "charts";
  byId("tables").setAttribute("aria-pressed", String(on));
  memory.set("view", on ? "tables" : null);
  for (const chart of charts) chart.renew();
}

function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? dark.matches : theme === "dark";
}

/** What the system says is no choice of ours: then it may change with it. */
function setTheme(theme: "dark" | "light"): void {
  const own = (theme === "dark") !== dark.matches;
  if (own) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  memory.set("theme", own ? theme : null);
  for (const chart of charts) chart.renew();
}

const shortcuts = byId<HTMLDialogElement>("shortcuts");
const keys = byId<HTMLInputElement>("keys");
const DOES: Readonly<Record<string, () => void>> = {
  p: pause,
  "1": () => setWindow(60),
  "2": () => setWindow(300),
  "3": () => setWindow(900),
  t: () => setTables(document.body.dataset.view !== "tables"),
  d: () => setTheme(isDark() ? "light" : "dark"),
  "?": () => shortcuts.showModal(),
};

byId("pause").onclick = pause;
byId("tables").onclick = DOES.t;
byId("theme").onclick = DOES.d;
byId("help").onclick = DOES["?"];
for (const input of document.querySelectorAll<HTMLInputElement>("input[name=window]")) {
  input.onchange = () => setWindow(Number(input.value));
}
// People who speak to their machine say words, which come as keys (WCAG 2.2, 2.1.4).
keys.onchange = () => memory.set("keys", keys.checked ? null : "off");
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || shortcuts.open) return;
  const does = DOES[event.key];
  if (does === undefined || (!keys.checked && event.key !== "?")) return;
  event.preventDefault();
  does();
});
dark.addEventListener("change", () => {
  for (const chart of charts) chart.renew();
});

keys.checked = memory.get("keys") !== "off";
const theme = memory.get("theme");
if (theme === "dark" || theme === "light") setTheme(theme);
setTables(memory.get("view") === "tables");
const seconds = Number(memory.get("window"));
setWindow([60, 300, 900].includes(seconds) ? seconds : 60);
document.title = `Slipway live: ${location.host}`;
