/**
 * The access log: a line a request, once it has ended. JSON has OpenTelemetry's names for HTTP; text is the Combined Log
 * Format, which every tool reads, with the duration and the request's id behind it.
 */
import { HeadFields } from "../fetch/head.ts";
import { type ExchangeObserver, type ExchangeRecord, setObserver } from "../http/observer.ts";
import { showAddress } from "../net/address.ts";
import type { Addr } from "../net/mod.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { logEvent } from "../runtime/log.ts";
import { countDropped, TokenBucket } from "../runtime/log-rate.ts";
import { printableLine } from "../runtime/printable.ts";
import { clientText } from "./client-text.ts";
import { type JsonLines, jsonLines } from "./json.ts";
import { openLog } from "./mod.ts";
import { requestIds, validRequestId } from "./request-id.ts";
import { commonLogTime } from "./time.ts";
import { parseTraceparent } from "./trace-context.ts";

export interface AccessSettings {
  /** More than this are dropped and counted, so that a flood of requests cannot fill a disk. 10,000 by default. */
  readonly linesPerSecond?: number;
}

const LINES_PER_SECOND = 10_000;
const REPORT_MS = 5000;
/** What clients may write into one line. */
const MOST_TARGET = 2048;
const MOST_AGENT = 512;
const MOST_REFERER = 1024;
const MOST_IN_MESSAGE = 200;
/** As nginx logs a client that was gone before there was an answer. */
const CLIENT_GONE = 499;

/** From here on every request is logged, and has an id. Returns the way back. */
export function startAccessLog(settings: AccessSettings = {}): () => void {
  setObserver(new AccessLog(settings));
  return () => setObserver(undefined);
}

class AccessLog implements ExchangeObserver {
  readonly #write: (record: ExchangeRecord, fields: HeadFields) => void;
  readonly #perSecond: number;
  readonly #bucket: TokenBucket;
  readonly #nextId = requestIds();
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the head asked for last, which most requests are asked for twice. */
  #head = "";
  #fields = new HeadFields("", 0);

  constructor({ linesPerSecond = LINES_PER_SECOND }: AccessSettings) {
    this.#perSecond = linesPerSecond;
    this.#bucket = new TokenBucket(linesPerSecond * 2, linesPerSecond, monotonicNow());
    const { output, format } = openLog();
    if (format === "text") {
      this.#write = (record, fields) => output.write(accessText(record, fields, Date.now()), true);
    } else {
      const json = jsonLines((line) => output.write(line, true));
      this.#write = (record, fields) => writeJson(json, record, fields);
    }
  }

  requestId(head: string, fieldsStart: number): string {
    return validRequestId(this.#fieldsOf(head, fieldsStart).get("x-request-id")) ?? this.#nextId();
  }

  ended(record: ExchangeRecord): void {
    if (this.#bucket.take(monotonicNow())) this.#write(record, this.#fieldsOf(record.head, record.fieldsStart));
    else this.#drop();
  }

  #fieldsOf(head: string, start: number): HeadFields {
    if (head !== this.#head) {
      this.#head = head;
      this.#fields = new HeadFields(head, start);
    }
    return this.#fields;
  }

  #drop(): void {
    this.#dropped++;
    countDropped("rate", 1);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const dropped = this.#dropped;
      this.#dropped = 0;
      logEvent("warn", `lines of the access log were dropped: it takes ${this.#perSecond} a second`, { dropped });
    }, REPORT_MS);
    this.#timer.unref();
  }
}

function writeJson(json: JsonLines, record: ExchangeRecord, fields: HeadFields): void {
  const { method, remoteAddr, aborted } = record;
  const status = record.status || CLIENT_GONE;
  const target = clientText(record.target, MOST_TARGET);
  const query = target.indexOf("?");
  const trace = parseTraceparent(fields.get("traceparent"));
  json.line(
    "info",
    {
      "event.name": "http.access",
      "client.address": remoteAddr.transport === "tcp" ? remoteAddr.hostname : addressText(remoteAddr),
      "client.port": remoteAddr.transport === "tcp" ? remoteAddr.port : undefined,
      "http.request.method": method,
      "url.path": query < 0 ? target : target.slice(0, query),
      "url.query": query < 0 ? undefined : target.slice(query + 1),
      "network.protocol.name": "http",
      "network.protocol.version": record.version,
      "http.response.status_code": status,
      "http.request.body.size": record.bytesIn,
      "http.response.size": record.bytesOut,
      duration_ms: milliseconds(record.durationMs),
      "user_agent.original": field(fields, "user-agent", MOST_AGENT),
      "http.request.header.referer": field(fields, "referer", MOST_REFERER),
      request_id: record.requestId,
      trace_id: trace?.traceId,
      parent_span_id: trace?.parentId,
      trace_sampled: trace?.sampled,
      "error.type": aborted ? "aborted" : undefined,
    },
    `${method} ${target.length > MOST_IN_MESSAGE ? `${target.slice(0, MOST_IN_MESSAGE)}…` : target} ${status}`,
  );
}

/** The line as text. */
export function accessText(record: ExchangeRecord, fields: HeadFields, now: number): string {
  const request = `${record.method} ${clientText(record.target, MOST_TARGET)} HTTP/${record.version === "2" ? "2.0" : record.version}`;
  const trace = parseTraceparent(fields.get("traceparent"));
  return `${addressText(record.remoteAddr)} - - [${commonLogTime(now)}] ${quoted(request)} ${record.status || CLIENT_GONE} ${record.bytesOut} ${quoted(field(fields, "referer", MOST_REFERER))} ${quoted(field(fields, "user-agent", MOST_AGENT))} ${milliseconds(record.durationMs)}ms ${record.requestId ?? "-"}${trace === undefined ? "" : ` ${trace.traceId}`}${record.aborted ? " aborted" : ""}\n`;
}

function field(fields: HeadFields, name: string, most: number): string | undefined {
  const value = fields.get(name);
  return value === null ? undefined : clientText(value, most);
}

/** As Apache and nginx quote. */
function quoted(text: string | undefined): string {
  if (text === undefined) return '"-"';
  return `"${printableLine(/["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text)}"`;
}

function addressText(address: Addr): string {
  return "hostname" in address ? address.hostname : printableLine(showAddress(address)).replaceAll(" ", "\\x20");
}

function milliseconds(duration: number): number {
  return Math.round(duration * 1000) / 1000;
}
