/**
 * One request's way through: what of it is passed on, to which upstream, to which one then, and what the client gets if none
 * answers. Nothing is kept: bodies stream in both directions, as fast as the slower side takes them.
 */

import { reasonOf } from "../client/errors.ts";
import {
  HeadFields,
  incomingOf,
  type LightBody,
  passedOn,
  switchingProtocols,
  takeBody,
  unchangedIncomingOf,
} from "../fetch/mod.ts";
import { Exchange, type ServeHandlerInfo } from "../http/exchange.ts";
import { CHUNKED } from "../http/response-head.ts";
import { promise } from "../http/upgrade.ts";
import type { Addr } from "../net/mod.ts";
import { logEvent } from "../runtime/log.ts";
import { printable } from "../runtime/printable.ts";
import { proxyCounters } from "./counters.ts";
import { fieldValue, hasPassed, hopsIn, requestFields, responseFields } from "./fields.ts";
import { addForwarded } from "./forwarded.ts";
import { watchHealth } from "./health.ts";
import type { UpstreamState } from "./mod.ts";
import type { ProxySettings } from "./options.ts";
import { announcement, answerTrailers, isThere, requestTrailers, takesTrailers } from "./trailers.ts";
import { Tunnel } from "./tunnel.ts";
import { Balance, Upstream } from "./upstream.ts";
import {
  type Answer,
  BEGUN,
  type Outgoing,
  SENT,
  STALE,
  UNSENT,
  UpstreamCall,
  UpstreamFailure,
} from "./upstream-call.ts";

/** RFC 9110, 9.2.2: asking twice is asking once. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);
/** Of which nobody expects a body (8.6). */
const BODILESS = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "DELETE"]);
/** The server's own bound for a head, with room for what it adds. */
const MAX_HEAD = 60 * 1024;
/** Fetch's Headers take these in a value, RFC 9110, 5.5 does not. */
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/g;

/** Of a request that came over no connection. */
const NOWHERE: Addr = { transport: "unix", path: "" };

/** What there is to know of a request before it is passed on. */
interface Came {
  readonly request: Request;
  readonly exchange: Exchange | undefined;
  /** Names in lower case. */
  readonly fields: string[];
  readonly path: string;
  readonly version: string;
  /** What Host said; "" for nothing. */
  readonly authority: string;
  readonly scheme: "http" | "https";
}

export class ProxyEngine {
  readonly #settings: ProxySettings;
  readonly #upstreams: readonly Upstream[];
  readonly #balance: Balance;
  readonly #closing = new AbortController();

  constructor(settings: ProxySettings) {
    this.#settings = settings;
    this.#upstreams = settings.upstreams.map((address) => new Upstream(address, settings));
    this.#balance = new Balance(this.#upstreams, settings.leastRequests);
    watchHealth(this.#upstreams, settings, this.#closing.signal);
  }

  states(): UpstreamState[] {
    return this.#upstreams.map((one) => ({
      name: one.address.name,
      state: one.in ? "in" : "out",
      requests: one.open,
    }));
  }

  close(): void {
    this.#closing.abort();
    for (const upstream of this.#upstreams) upstream.close();
  }

  async handle(request: Request, info: ServeHandlerInfo | undefined): Promise<Response> {
    const came = whatCame(request);
    const { fields, exchange } = came;
    const { method } = request;
    const via = fieldValue(fields, "via");
    if (hasPassed(via, this.#settings.name) || hopsIn(via)) {
      proxyCounters.loops++;
      logEvent("warn", `proxy: ${shown(came)} came back to where it had been: an upstream leads here`);
      return answer(508, "this request goes round in circles");
    }
    if (method === "CONNECT") return answer(501, "this server tunnels to nowhere else");
    const last = lastHop(method, fields);
    if (last !== undefined) return last;
    const outgoing = await this.#outgoing(came, info);
    const result = await this.#ask(came, outgoing);
    if (result instanceof UpstreamFailure) return this.#unanswered(came, result);
    if (exchange !== undefined && result.tunnel !== undefined)
      return tunnelled(came, exchange, result.fields, result.tunnel);
    const { status, statusText } = result;
    const passed = responseFields(result.fields, status, `1.1 ${this.#settings.name}`);
    // What the length would be to GET only the upstream knows: where it says nothing, nothing is said.
    const silent = method === "HEAD" && fieldValue(passed, "content-length") === undefined;
    const response = passedOn(status, statusText, passed, silent ? new ReadableStream() : result.body);
    if (exchange !== undefined && result.chunks !== undefined)
      answerTrailers(exchange, response, result.fields, result.chunks);
    return response;
  }

  // ---- the request

  async #outgoing(came: Came, info: ServeHandlerInfo | undefined): Promise<Outgoing> {
    const { request, exchange, fields, path, version, authority, scheme } = came;
    const { method } = request;
    const { name, host, hostOfUpstream, xForwarded, tunnelTimeout } = this.#settings;
    const believed = exchange?.believed === true;
    const kept = requestFields(fields, believed);
    if (info?.requestId !== undefined) identify(kept, info.requestId);
    const client = exchange?.remoteAddress ?? info?.remoteAddr ?? NOWHERE;
    const peer = believed ? (exchange?.peerAddress ?? client) : client;
    addForwarded(kept, { peer, client, scheme, authority, believed }, fields, xForwarded);
    const before = fieldValue(fields, "via");
    kept.push("via", `${before === undefined ? "" : `${before}, `}${version} ${name}`);
    const upgrades = exchange !== undefined && wantsWebSocket(method, fields) && exchange.upgradeFault() === undefined;
    // A WebSocket of HTTP/2 has no key (RFC 8441, 5), which one of HTTP/1.1 must have.
    if (upgrades && version === "2" && fieldValue(kept, "sec-websocket-key") === undefined) {
      kept.push("sec-websocket-key", process.getBuiltinModule("node:crypto").randomBytes(16).toString("base64"));
    }
    let lines = upgrades ? "connection: upgrade\r\nupgrade: websocket\r\n" : "";
    // What this proxy does not drop either, who is before it takes.
    if (!upgrades && takesTrailers(fields)) lines = "connection: te\r\nte: trailers\r\n";
    for (let i = 0; i < kept.length; i += 2) lines += `${kept[i]}: ${kept[i + 1].replace(CONTROLS, " ")}\r\n`;

    let body: LightBody | undefined;
    let framing = CHUNKED;
    const incoming = exchange?.body;
    // HTTP/2 has both a length and trailers, HTTP/1.1 has the one or the other.
    const announced = version === "2" && fieldValue(fields, "trailer") !== undefined;
    // One that the program has made has a body of its own, whatever its fields say of the one that came.
    const own = unchangedIncomingOf(request) === null;
    if (own) body = takeBody(request);
    else if (incoming === undefined ? request.body === null : !exchange?.hasBody()) body = null;
    // It has come with its head, or soon after: one send, and no stream.
    else if (isThere(incoming) && !request.bodyUsed) body = await request.bytes();
    const size = sizeOf(body);
    if (size !== undefined) framing = size;
    else if (!announced) {
      const length = fieldValue(fields, "content-length");
      if (length !== undefined && /^\d{1,15}$/.test(length)) framing = Number(length);
    }
    const whole = body;
    const trailers =
      incoming !== undefined && framing === CHUNKED ? () => requestTrailers(fields, incoming) : undefined;
    if (trailers !== undefined) lines += announcement(fields);
    return {
      method,
      head: ({ address: { target } }) => {
        const named = hostOfUpstream || (authority === "" && host === undefined) ? target.host : (host ?? authority);
        return `${method} ${path} HTTP/1.1\r\nhost: ${named}\r\n${lines}`;
      },
      framing,
      framingLine: framingLine(framing, whole === null && BODILESS.has(method)),
      takeBody: () => (whole === undefined ? takeBody(request) : whole),
      trailers,
      signal: request.signal,
      hinted: info === undefined ? undefined : (hints) => passHints(info, hints),
      tunnel: upgrades ? () => new Tunnel(tunnelTimeout) : undefined,
    };
  }

  // ---- the upstreams

  /** Tries one after the other, where that is safe. */
  async #ask(came: Came, outgoing: Outgoing): Promise<Answer | UpstreamFailure> {
    const tried: Upstream[] = [];
    const repeatable = outgoing.framing === 0 && IDEMPOTENT.has(outgoing.method);
    let failure: UpstreamFailure | undefined;
    for (;;) {
      const upstream: Upstream | undefined =
        tried.length < this.#settings.tries ? this.#balance.choose(tried) : undefined;
      if (upstream === undefined) return failure ?? new UpstreamFailure("refused", new Error("there is none"), UNSENT);
      if (failure !== undefined) proxyCounters.retried++;
      tried.push(upstream);
      let result = await new UpstreamCall(upstream, outgoing).start(false);
      if (result instanceof UpstreamFailure && result.progress === STALE && repeatable) {
        proxyCounters.retried++;
        result = await new UpstreamCall(upstream, outgoing).start(true);
      }
      if (!(result instanceof UpstreamFailure)) {
        proxyCounters.answered(result.status);
        if (result.headSize > MAX_HEAD) return tooLarge(result);
        upstream.well();
        return result;
      }
      // The client left, or did not send what it had begun: that says nothing of the upstream.
      const aborted = result.failing === "aborted" || came.exchange?.body?.failure !== undefined;
      proxyCounters.ended(aborted ? "aborted" : result.failing);
      if (aborted) return new UpstreamFailure("aborted", result.error, SENT);
      const { name } = upstream.address;
      const why = reasonOf(result.error);
      upstream.failed(why);
      if (failure !== undefined || this.#upstreams.length > 1)
        logEvent("warn", `proxy: ${shown(came)} to ${name}: ${why}`);
      failure = result;
      // A head that takes too long would take as long at the next.
      const again =
        result.progress === UNSENT || (repeatable && result.failing === "failed" && result.progress !== BEGUN);
      if (!again) return result;
    }
  }

  #unanswered({ request, exchange }: Came, { failing, error }: UpstreamFailure): Response {
    if (failing === "aborted") throw exchange?.body?.failure ?? request.signal.reason ?? error;
    const status = failing === "timeout" ? 504 : 502;
    if (this.#upstreams.length === 1) {
      const { name } = this.#upstreams[0].address;
      logEvent("warn", `proxy: ${request.method} ${printablePath(request)} to ${name}: ${reasonOf(error)}`);
    }
    return answer(
      status,
      status === 504 ? "the upstream server did not answer in time" : "the upstream server gave no valid answer",
    );
  }
}

/** Undefined for a stream, and for what is still on its way. */
function sizeOf(body: LightBody | undefined): number | undefined {
  if (body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.length;
  return body instanceof Blob ? body.size : undefined;
}

/** A 103 (RFC 8297): of interim answers the one that says something to a client. */
function passHints(info: ServeHandlerInfo, fields: readonly string[]): void {
  const kept = responseFields(fields, 103, "").slice(0, -2);
  info.earlyHints(kept.flatMap((name, i) => (i % 2 === 0 ? [[name, kept[i + 1]] as [string, string]] : [])));
}

/** A 101 (RFC 9110, 15.2.2), whose client side begins once it has left. */
function tunnelled(came: Came, exchange: Exchange, fields: readonly string[], tunnel: Tunnel): Response {
  const kept = responseFields(fields, 101, "").slice(0, -2);
  // The answer to a key that was ours says nothing to who had none.
  if (fieldValue(came.fields, "sec-websocket-key") === undefined) drop(kept, "sec-websocket-accept");
  const response = switchingProtocols(["upgrade", "websocket", ...kept]);
  promise(response, { request: exchange, successor: tunnel });
  const over = (): void => tunnel.refused();
  exchange.completed.then(over, over);
  return response;
}

function tooLarge({ body, headSize }: Answer): UpstreamFailure {
  if (body !== null && !(body instanceof Uint8Array))
    body
      .openBody()
      .cancel()
      .catch(() => {});
  return new UpstreamFailure("failed", new Error(`its answer's head of ${headSize} bytes is too large`), BEGUN);
}

function whatCame(request: Request): Came {
  const incoming = incomingOf(request);
  const exchange = incoming instanceof Exchange ? incoming : undefined;
  if (exchange !== undefined && unchangedIncomingOf(request) !== null) {
    const { head, fieldsStart, target, authority, scheme } = exchange;
    const version =
      /HTTP\/(\d(?:\.\d)?)$/.exec(head.slice(Math.max(0, fieldsStart - 11), fieldsStart - 2))?.[1] ?? "1.1";
    const fields = new HeadFields(head, fieldsStart).toList();
    return { request, exchange, fields, path: originForm(target, request), version, authority, scheme };
  }
  // One that the program has made: of what came, or of nothing.
  const { protocol, host: authority, pathname, search } = new URL(request.url);
  const scheme = protocol === "https:" ? "https" : "http";
  const fields = [...request.headers].flat();
  return { request, exchange, fields, path: pathname + search, version: "1.1", authority, scheme };
}

/** As it came: what it means is the upstream's to say (RFC 9112, 3.2.1), but for the absolute form, which names us. */
function originForm(target: string, request: Request): string {
  if (target.startsWith("/") || target === "*") return target;
  const { pathname, search } = new URL(request.url);
  return pathname + search;
}

/** RFC 9110, 7.6.2: who is the last of a TRACE or an OPTIONS answers it. */
function lastHop(method: string, fields: string[]): Response | undefined {
  if (method !== "OPTIONS" && method !== "TRACE") return undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "max-forwards" || !/^\d{1,9}$/.test(fields[i + 1])) continue;
    const left = Number(fields[i + 1]);
    if (left > 0) fields[i + 1] = String(left - 1);
    else return method === "OPTIONS" ? passedOn(204, "", [], null) : answer(405, "this proxy does not answer TRACE");
  }
  return undefined;
}

/** Other protocols are not passed on: behind h2c no rule of this proxy would hold (h2c smuggling). */
function wantsWebSocket(method: string, fields: readonly string[]): boolean {
  if (method !== "GET" || fieldValue(fields, "upgrade")?.trim().toLowerCase() !== "websocket") return false;
  return /(?:^|,)[\t ]*upgrade[\t ]*(?:,|$)/i.test(fieldValue(fields, "connection") ?? "");
}

/** What the access log calls it, both here and there. */
function identify(fields: string[], id: string): void {
  drop(fields, "x-request-id");
  fields.push("x-request-id", id);
}

function drop(fields: string[], name: string): void {
  for (let i = fields.length - 2; i >= 0; i -= 2) if (fields[i] === name) fields.splice(i, 2);
}

function framingLine(framing: number, none: boolean): string {
  if (none) return "";
  return framing === CHUNKED ? "transfer-encoding: chunked\r\n" : `content-length: ${framing}\r\n`;
}

function answer(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain;charset=UTF-8" } });
}

function shown({ request }: Came): string {
  return `${request.method} ${printablePath(request)}`;
}

/** Without the query, which may hold what is nobody's business. */
function printablePath(request: Request): string {
  return printable(new URL(request.url).pathname);
}
