/**
 * The pages of the admin port: `/metrics`, `/healthz`, `/readyz`, `/tasks`, `/config`, and the live page with its
 * events, `/` and `/live`. GET and HEAD only; nothing here changes anything.
 */
import { Response } from "../fetch/mod.ts";
import { allTasks, formatTaskTable } from "../runtime/task-table.ts";
import { mayAsk } from "./address.ts";
import { isDraining } from "./draining.ts";
import type { LiveFeed } from "./live/feed.ts";
import { decompressed, livePage, takesBrotli } from "./live/page.ts";
import type { Exposition } from "./metrics/exposition.ts";
import { preferred } from "./negotiate.ts";
import type { CheckResult, Readiness } from "./ready.ts";
import { shown, table } from "./text.ts";

/** One option of the running program, and who set it (src/options/resolve.ts). */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly source: string;
  readonly from?: string;
}

export interface PagesSettings {
  readonly exposition: Exposition;
  readonly readiness: Readiness;
  readonly config: () => readonly ConfigEntry[];
  readonly live: LiveFeed;
  /** The name that the operator gave, if it is a name; undefined on a Unix socket with `anyHost`. */
  readonly host: string | undefined;
  /** No browser reaches a Unix socket, and its clients write any Host. */
  readonly anyHost: boolean;
  /** Reads the metrics, all of them at once, by calling `read`. */
  readonly scrape: (read: () => Promise<string>) => Promise<string>;
}

type Page = (accept: string | null, request: Request) => Response | Promise<Response>;

/** Rows of /tasks as JSON, however many names a program makes. */
const MOST_TASKS = 1000;
const TEXT = "text/plain; charset=utf-8";
/** `nosniff`: names of tasks and messages of checks are text, whatever a browser makes of them. */
const FIELDS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** The handler. */
export function pages(settings: PagesSettings): (request: Request) => Response | Promise<Response> {
  const known = new Map<string, Page>(Object.entries(pageTable(settings)));
  const list = `${["Here are:", ...known.keys()].join("\n")}\n`;
  // Programs get the list, and browsers the live page.
  known.set("/", (accept, request) => (wantsHtml(accept) ? showLivePage(request) : answer(200, list)));
  return (request) => {
    const { method, headers } = request;
    // Also what comes as the request's target in absolute form, which counts more than Host (RFC 9112, 3.2.2).
    const { hostname, pathname } = new URL(request.url);
    if (!settings.anyHost && !mayAsk(hostname, settings.host)) {
      return answer(
        421,
        `this is the admin port, which answers to addresses, to localhost and to the name in --admin\n`,
      );
    }
    if (method !== "GET" && method !== "HEAD") {
      return answer(405, "only GET and HEAD: nothing here can be changed\n", TEXT, { allow: "GET, HEAD" });
    }
    const page = known.get(pathname);
    return page === undefined ? answer(404, list) : page(headers.get("accept"), request);
  };
}

function pageTable({ exposition, readiness, config, live, scrape }: PagesSettings): Record<string, Page> {
  return {
    async "/metrics"(accept) {
      const format = metricsFormat(accept);
      return answer(200, await scrape(() => exposition.text(format)), exposition.contentType(format));
    },
    "/healthz": () => answer(200, "ok\n"),
    async "/readyz"(accept) {
      // Nobody needs to know how the database is while the process ends.
      const draining = isDraining();
      const checks = draining ? [] : await readiness.run();
      const ready = !draining && !isDraining() && checks.every(({ ok }) => ok);
      const status = ready ? 200 : 503;
      if (wantsJson(accept)) return json({ ready, draining: isDraining(), checks }, status);
      return answer(status, readyText(ready, isDraining(), checks));
    },
    async "/tasks"(accept) {
      const rows = await allTasks();
      return wantsJson(accept) ? json(rows.slice(0, MOST_TASKS)) : answer(200, formatTaskTable(rows));
    },
    "/config"(accept) {
      const entries = config();
      return wantsJson(accept) ? json(entries) : answer(200, configText(entries));
    },
    "/live": (_accept, request) => events(live, request),
  };
}

/** OpenMetrics, unless the client names only Prometheus's older format, or is a browser, which would save a file. */
function metricsFormat(accept: string | null): "openmetrics" | "prometheus" {
  const types = ["application/openmetrics-text", "text/plain", "text/html"] as const;
  return preferred(accept, types) === types[0] ? "openmetrics" : "prometheus";
}

function wantsJson(accept: string | null): boolean {
  return preferred(accept, ["text/plain", "application/json"]) === "application/json";
}

function wantsHtml(accept: string | null): boolean {
  return preferred(accept, ["text/plain", "text/html"]) === "text/html";
}

async function showLivePage({ headers }: Request): Promise<Response> {
  const fields = {
    ...FIELDS,
    "content-type": "text/html; charset=utf-8",
    vary: "accept, accept-encoding",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
  };
  try {
    const live = await livePage();
    const more = { ...fields, "content-security-policy": live.policy };
    if (!takesBrotli(headers.get("accept-encoding"))) return new Response(await decompressed(live), { headers: more });
    return new Response(live.brotli, { headers: { ...more, "content-encoding": "br" } });
  } catch (error) {
    return answer(503, `the live page cannot be shown: ${shown((error as Error).message, 500)}\n`);
  }
}

/**
 * The events of the live page, for itself alone. Another page in the operator's browser can't read them anyway, but each
 * that only asks for them would have the server work for it once a second.
 */
function events(live: LiveFeed, { method, headers, url }: Request): Response {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (
    (site !== null && site !== "same-origin" && site !== "none") ||
    (origin !== null && origin !== new URL(url).origin)
  ) {
    return answer(403, "only the live page itself may ask for its events\n");
  }
  if (live.full) return answer(503, "as many look at the live page as may: close one\n", TEXT, { "retry-after": "10" });
  const body = method === "HEAD" ? null : live.watch();
  return new Response(body, { headers: { ...FIELDS, "content-type": "text/event-stream" } });
}

function readyText(ready: boolean, draining: boolean, checks: readonly CheckResult[]): string {
  const lines = [ready ? "ready" : draining ? "not ready: draining" : "not ready"];
  for (const { name, ok, durationMs, reason } of checks) {
    lines.push(`${name}: ${ok ? "ok" : `failed: ${reason}`} (${durationMs} ms)`);
  }
  return `${lines.join("\n")}\n`;
}

function configText(entries: readonly ConfigEntry[]): string {
  const row = ({ name, value, source, from }: ConfigEntry) => {
    return [name, shown(value, 500), from === undefined ? source : `${source}: ${shown(from, 500)}`];
  };
  return table([["OPTION", "VALUE", "SOURCE"], ...entries.map(row)]);
}

function json(value: unknown, status = 200): Response {
  return answer(status, `${JSON.stringify(value, undefined, 2)}\n`, "application/json");
}

function answer(
  status: number,
  body: string,
  type: string = TEXT,
  more: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, { status, headers: { "content-type": type, ...FIELDS, ...more } });
}
