/**
 * Writes docs/compare.md of what was measured: the JSON of `npm run bench -- --save` and of `slipway check URL --json`.
 *
 *     node scripts/compare-docs.ts                   write
 *     node scripts/compare-docs.ts --check           end with 1 if that would change anything
 *     node scripts/compare-docs.ts --attacks FILE    keep this report of `slipway check URL --json` first
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

interface Bench {
  readonly question: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly date: string;
  readonly peers: readonly { readonly peer: string; readonly median: number }[];
}

interface Verdicts {
  readonly verdict: string;
  readonly came: string;
}

interface Attack extends Verdicts {
  readonly id: string;
  readonly family: string;
  readonly name: string;
  readonly peers: Readonly<Record<string, Verdicts>>;
}

interface Attacks {
  readonly date: string;
  readonly families: readonly { readonly family: string; readonly name: string }[];
  readonly attacks: readonly Attack[];
  readonly peers: {
    readonly date: string;
    readonly machine: string;
    readonly versions: Readonly<Record<string, string>>;
  };
}

const repository = resolve(import.meta.dirname, "..");
const kept = join(repository, "docs/bench");
const page = join(repository, "docs/compare.md");
const attacksFile = join(kept, "attacks.json");

/** In this order, by what each is about. */
const QUESTIONS = [
  ...["plaintext", "json", "async", "pipelined", "single", "connect", "crowd", "timers", "files", "fetch"],
  ...["tls", "http2", "handshake", "resumed", "websocket"],
];
const PEERS: readonly (readonly [string, string])[] = [
  ["deno", "Deno"],
  ["bun", "Bun"],
  ["node", "Node"],
  ["go", "Go"],
];
/** What tells most about defaults: the clients that a server meets first. */
const TELLING = [
  ...["slow/silent", "slow/partial-head", "slow/dripped-fields", "slow/dripped-body", "slow/stalled-reader"],
  ...["slow/idle", "limits/header-bytes", "limits/chunked-body"],
];

/** The page as it should be. */
export function comparison(): string {
  const attacks = JSON.parse(readFileSync(attacksFile, "utf8")) as Attacks;
  const peers = Object.keys(attacks.peers.versions);
  return `# How it compares

<!-- Made by scripts/compare-docs.ts of docs/bench/*.json: change it there. -->

Measured, not claimed: \`npm run bench\` and \`slipway check URL\` make the same tables of your machine and your server.
Where a peer is better the figure says so.

## Speed

What a thing costs Slipway ÷ what it costs them, in CPU of the whole server process: below 1, ours costs less. All limits
are on; rounds of all peers are interleaved on one machine. [Samples, spreads and plots](bench/README.md),
[how to read them](performance.md).

${speed()}

## Under attack

${attacks.attacks.length} attacks on servers with default options: ours ${attacks.date}, the others ${attacks.peers.date},
${attacks.peers.machine} (${peers.map((name) => `${name} ${attacks.peers.versions[name]}`).join(", ")}). How many failed, of how many;
what each attack is stands in [check of servers](check-live.md).

${table(["", "Slipway", ...peers], families(attacks, peers))}

What clients got that are slow, silent or large:

${table(["a client that", "Slipway", ...peers], telling(attacks, peers))}

## What is there

${table(["", "Slipway", ...peers], FEATURES)}

"-" is what a library, a proxy or a second tool brings. [Coming from Deno](from-deno.md), [Node](from-node.md),
[Bun](from-bun.md), [Go](from-go.md) or [nginx before Node](from-nginx.md): what you had, and what you write.
`;
}

const YES = "yes";
const NO = "-";
/** By each one's documentation and defaults, in the versions named above. The columns are the peers of the attacks. */
const FEATURES: readonly (readonly string[])[] = [
  [
    "times for head, body, answer and idle connection by default",
    YES,
    "-, to be set",
    NO,
    "idle: 10 s",
    "head, request, idle",
  ],
  [
    "drain",
    "with readiness, delay and a bound",
    "`Server.Shutdown`",
    "`server.shutdown()`",
    "`server.stop()`",
    "`server.close()`",
  ],
  [
    "restart without a refused connection",
    "`kill -USR2`, systemd's sockets",
    NO,
    "`reusePort`, by hand",
    "`reusePort`, by hand",
    NO,
  ],
  ["metrics and health", "on a port of their own, with a live page", "expvar, pprof", "OpenTelemetry", NO, NO],
  ["TypeScript without a build", YES, NO, YES, YES, "types are stripped"],
  ["one executable", YES, YES, YES, YES, "`--build-sea`"],
  ["executables for other systems", NO, YES, YES, YES, NO],
  ["HTTP/2 by the same handler", YES, YES, YES, NO, NO],
  ["HTTP/3", NO, NO, NO, NO, NO],
  ["WebSocket", "RFC 6455 and 8441, compressed", NO, YES, "compressed", NO],
  ["macOS, Windows", NO, YES, YES, YES, YES],
];

function speed(): string {
  const rows = QUESTIONS.filter((name) => existsSync(join(kept, `${name}.json`))).map((name) => {
    const bench = JSON.parse(readFileSync(join(kept, `${name}.json`), "utf8")) as Bench;
    const of = (peer: string) => bench.peers.find((each) => each.peer === peer)?.median;
    const ours = of("slipway") ?? of("slipway-uring") ?? of("slipway-epoll");
    const ratio = (theirs: number | undefined) => {
      if (ours === undefined || theirs === undefined) return "";
      return (bench.better === "lower" ? ours / theirs : theirs / ours).toFixed(2);
    };
    return [`${bench.title}`, ...PEERS.map(([peer]) => ratio(of(peer)))];
  });
  return table(["", ...PEERS.map(([, name]) => `÷ ${name}`)], rows);
}

function families({ families, attacks }: Attacks, peers: readonly string[]): string[][] {
  return families.map(({ family, name }) => {
    const mine = attacks.filter((attack) => attack.family === family);
    const failed = (verdicts: readonly (Verdicts | undefined)[]) => {
      const tried = verdicts.filter((each) => each !== undefined && each.verdict !== "skip");
      if (tried.length === 0) return "not measured";
      return `${tried.filter((each) => each?.verdict === "fail").length} of ${tried.length}`;
    };
    return [name, failed(mine), ...peers.map((peer) => failed(mine.map((attack) => attack.peers[peer])))];
  });
}

function telling({ attacks }: Attacks, peers: readonly string[]): string[][] {
  return TELLING.flatMap((id) => {
    const attack = attacks.find((each) => each.id === id);
    if (attack === undefined) return [];
    return [[attack.name, attack.came, ...peers.map((peer) => attack.peers[peer]?.came ?? "")]];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Of a report what the page needs: neither where it was made nor how long it took. */
function reduced(report: string, date: string): string {
  const { families, attacks, peers } = JSON.parse(report) as Attacks;
  const small: Attacks = {
    date,
    families: families.map(({ family, name }) => ({ family, name })),
    attacks: attacks.map(({ id, family, name, verdict, came, peers }) => ({ id, family, name, verdict, came, peers })),
    peers,
  };
  return `${JSON.stringify(small)}\n`;
}

if (import.meta.main) {
  const at = process.argv.indexOf("--attacks");
  if (at > 0) writeFileSync(attacksFile, reduced(readFileSync(process.argv[at + 1], "utf8"), new Date().toISOString().slice(0, 10))); // biome-ignore format: one line
  const text = comparison();
  if (process.argv.includes("--check")) process.exitCode = readFileSync(page, "utf8") === text ? 0 : 1;
  else writeFileSync(page, text);
}
