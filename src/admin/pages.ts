/**
 * The pages of the admin port: `/metrics`, `/healthz`, `/readyz`, `/tasks`, `/config`. GET and HEAD only; nothing here
 * changes anything.
 */
import { Response } from "../fetch/mod.ts";
import { allTasks, formatTaskTable } from "../runtime/task-table.ts";
import { mayAsk } from "./address.ts";
import { isDraining } from "./draining.ts";
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
  /** The name that the operator gave, if it is a name; undefined on a Unix socket with `anyHost`. */
  readonly host: string | undefined;
  /** No browser reaches a Unix socket, and its clients write any Host. */
  readonly anyHost: boolean;
  /** Reads the metrics, all of them at once, by calling `read`. */
  readonly scrape: (read: () => Promise<string>) => Promise<string>;
}

type Page = (accept: string | null) => Response | Promise<Response>;

/** Rows of /tasks as JSON, however many names a program makes. */
const MOST_TASKS = 1000;
const TEXT = "text/plain; charset=utf-8";
/** `nosniff`: names of tasks and messages of checks are text, whatever a browser makes of them. */
const FIELDS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** The handler. */
export function pages(settings: PagesSettings): (request: Request) => Response | Promise<Response> {
  const known = new Map<string, Page>(Object.entries(pageTable(settings)));
  const list = `${["Here are:", ...known.keys()].join("\n")}\n`;
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
    return page === undefined ? answer(404, list) : page(headers.get("accept"));
  };
}

function pageTable({ exposition, readiness, config, scrape }: PagesSettings): Record<string, Page> {
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
