// biome-ignore-all lint/complexity/noArguments: Web IDL counts the arguments, whatever their values.
// biome-ignore-all lint/complexity/noThisInStatic: a subclass inherits hasInstance and must not mean this class.
/**
 * `Request` of the Fetch standard (https://fetch.spec.whatwg.org/#request-class), light: one that came from the
 * network is a single object in front of what the server knows, and each part is made when it is touched.
 */
import {
  asBytes,
  asText,
  bufferOf,
  extractBody,
  isDisturbed,
  isNetworkBody,
  type LightBody,
  type NetworkBody,
  openStream,
  spentStream,
  TEXT_TYPE,
  tee,
  textStreamOf,
  UNUSABLE,
} from "./body.ts";
import { parseForm } from "./form.ts";
import { fieldsIn, fieldsOf, forwardable, Headers, headersOfHead, headersOver } from "./headers.ts";
import { describe, INSPECT } from "./inspect.ts";
import { exposeInterface, required } from "./interface.ts";
import { mimeTypeOf } from "./mime.ts";
import { isForeign } from "./native.ts";
import {
  type ConvertedInit,
  checkMethod,
  convertInit,
  DEFAULT_OPTIONS,
  mergeOptions,
  optionsOf,
  type RequestOptions,
} from "./request-init.ts";

/** What the server knows of a request whose head has arrived; the light Request reads it only when touched. */
export interface IncomingRequest extends NetworkBody {
  readonly method: string;
  /** Request line and field lines as latin1, without the CRLFs at the end. The lines are valid; OWS may surround values. */
  readonly head: string;
  /** The index in `head` of the first field line. */
  readonly fieldsStart: number;
  /** The absolute URL, as `new URL(x).href` would have it. */
  url(): string;
  hasBody(): boolean;
  signal(): AbortSignal;
}

/** The Request of a request from the network: one object, everything else when touched. Its headers are immutable. */
export let requestFrom: (incoming: IncomingRequest) => Request;
/** What the host's `fetch` needs to send a Request of ours; takes its body. Null for any other value. */
export let takeForFetch: (input: unknown) => { url: string; init: RequestInit } | null;

/** What the server knows of a Request, or of the one that it was made of; null where it came from no network. */
export let incomingOf: (request: unknown) => IncomingRequest | null;
/** The same of a Request that is just what came, and not of one that was made of it. */
export let unchangedIncomingOf: (request: unknown) => IncomingRequest | null;
/** The body, for whoever sends it on; nobody can read it after that. */
export let takeBody: (request: globalThis.Request) => LightBody;
/** True for a Request of ours. */
export let isOwnRequest: (input: unknown) => input is Request;
/** Whether only the host's `fetch` can do what a Request asks for. */
export let needsHost: (request: Request) => boolean;
/** What our own client needs to send a Request; takes its body. */
export let takeForNetwork: (request: Request) => NetworkCall;

/** A request on its way out. */
export interface NetworkCall {
  readonly method: string;
  /** Absolute, as `new URL(x).href` would have it. */
  readonly url: string;
  /** Name, value, name, value …; names in lower case. The callee's. */
  readonly fields: string[];
  readonly body: LightBody;
  readonly signal: AbortSignal | null;
  readonly redirect: RequestRedirect;
  /** Of Deno.createHttpClient, if one was given. */
  readonly client: unknown;
}

/**
 * Runs a read of the whole body. One from the network fails when the client leaves, or when the answer is out; if nobody
 * awaits it yet, that would be an unhandled rejection, and end the process whenever a client likes (as it does in Deno).
 * Who awaits it is told all the same.
 */
let quietly: <T>(request: Request, read: () => Promise<T>) => Promise<T>;
let requestIn: (input: unknown) => Request | null;
let copyOfFields: (request: Request) => string[];

/** Says that the constructor is called from here, to be filled by hand. */
const EMPTY = Symbol("empty") as unknown as string;

export class Request implements globalThis.Request {
  /** Where the request came from, if it came from the network. */
  #incoming: IncomingRequest | null = null;
  #method = "GET";
  #url: string | null = null;
  #headers: Headers | null = null;
  /** Undefined: the incoming request's, not yet looked at. */
  #source: LightBody | NetworkBody | undefined = null;
  /** What `body` has shown. */
  #stream: ReadableStream<Uint8Array> | null = null;
  #used = false;
  /** Whom the signal follows; the signal itself is made when touched. */
  #follows: AbortSignal | Request | null = null;
  #signal: AbortSignal | null = null;
  #options: RequestOptions = DEFAULT_OPTIONS;

  constructor(input: RequestInfo | URL, init: RequestInit | undefined = undefined) {
    if (input === EMPTY) return;
    required(arguments.length, 1, "Request");
    const base = requestIn(input);
    const given = convertInit(init);
    if (base === null) this.#url = checkUrl(String(input));
    else this.#copy(base);
    const options = mergeOptions(base === null ? DEFAULT_OPTIONS : base.#options, given, base === null);
    this.#options = options;
    if (given?.method !== undefined) this.#method = checkMethod(given.method);
    if (given?.signal !== undefined) this.#follows = given.signal;
    if (options.mode === "no-cors" && given?.mode !== undefined && !/^(GET|HEAD|POST)$/.test(this.#method)) {
      throw new TypeError(`Request: the method ${this.#method} is not allowed in no-cors mode.`);
    }
    const fields = given?.headers !== undefined ? fieldsOf(given.headers) : base === null ? [] : copyOfFields(base);
    this.#headers = headersOver(fields, false);
    this.#attachBody(base, given, fields);
  }

  #copy(base: Request): void {
    this.#method = base.method;
    this.#url = base.url;
    this.#follows = base;
  }

  #attachBody(base: Request | null, given: ConvertedInit | null, fields: string[]): void {
    const body = given?.body ?? null;
    const inherits = body === null && base !== null && base.#body() !== null;
    if (body === null && !inherits) return;
    if (this.#method === "GET" || this.#method === "HEAD") {
      throw new TypeError(`Request: a ${this.#method} request can't have a body.`);
    }
    if (body === null) {
      if (base !== null) this.#transfer(base);
      return;
    }
    const { source, type } =
      typeof body === "string" ? { source: body, type: TEXT_TYPE } : extractBody(body, this.#options.keepalive);
    if (source instanceof ReadableStream) {
      // `duplex` may be left out, as in Deno: there is only one that it could be.
      if (this.#options.mode !== "same-origin" && this.#options.mode !== "cors") {
        throw new TypeError('Request: a stream as the body needs mode "same-origin" or "cors".');
      }
      this.#stream = source;
    }
    this.#source = source;
    if (type !== null && !fields.includes("content-type")) fields.push("content-type", type);
  }

  /** Takes the body out of another request, which is used up by it. */
  #transfer(base: Request): void {
    if (base.#unusable())
      throw new TypeError("Input request's body is unusable: it has already been read, or it is locked");
    if (base.#stream !== null) {
      this.#stream = base.#stream.pipeThrough(new TransformStream());
      this.#source = this.#stream;
    } else {
      this.#source = base.#source;
    }
    base.#used = true;
  }

  static {
    quietly = (request, read) => {
      const network = #incoming in request && (request.#incoming !== null || isNetworkBody(request.#source ?? null));
      const result = read();
      if (network) result.catch(() => {});
      return result;
    };
    requestFrom = (incoming) => {
      const request = new Request(EMPTY);
      request.#incoming = incoming;
      request.#method = incoming.method;
      request.#source = undefined;
      return request;
    };
    takeForFetch = (input) => {
      if (typeof input !== "object" || input === null || !(#options in input)) return null;
      const { dispatcher, client: _, ...options } = input.#options;
      const source = input.#take();
      const init: RequestInit & { duplex?: string; dispatcher?: unknown } = {
        ...options,
        method: input.method,
        headers: forwardable(input.headers),
        signal: input.signal,
      };
      if (dispatcher !== undefined) init.dispatcher = dispatcher;
      if (source !== null) {
        // Bytes imply no content type: what the headers say, they say.
        init.body = typeof source === "string" ? new TextEncoder().encode(source) : (source as BodyInit);
        init.duplex = "half";
      }
      return { url: input.url, init };
    };
    incomingOf = (input) => {
      if (typeof input !== "object" || input === null || !(#incoming in input)) return null;
      return input.#incoming ?? incomingOf(input.#follows);
    };
    unchangedIncomingOf = (input) =>
      typeof input === "object" && input !== null && #incoming in input ? input.#incoming : null;
    takeBody = (request) => (request as Request).#take();
    isOwnRequest = (input): input is Request => typeof input === "object" && input !== null && #options in input;
    needsHost = (request) => {
      const { dispatcher, integrity, mode } = request.#options;
      return dispatcher !== undefined || integrity !== "" || mode !== "cors";
    };
    takeForNetwork = (request) => {
      const body = request.#take();
      const { redirect, cache, client } = request.#options;
      const fields = forwardable(request.headers).flat();
      const cookie = fields.findIndex((name, i) => i % 2 === 0 && name === "cookie");
      // Servers split cookies at ";" (RFC 6265, 5.4), where Headers put ", " between what was appended.
      if (cookie >= 0) fields[cookie + 1] = fieldsOfName(fieldsIn(request.headers), "cookie").join("; ");
      if ((cache === "no-store" || cache === "reload") && !request.headers.has("cache-control")) {
        fields.push("cache-control", "no-cache", "pragma", "no-cache");
      }
      return { method: request.#method, url: request.url, fields, body, signal: request.#followed(), redirect, client };
    };
    requestIn = (input) => {
      if (typeof input !== "object" || input === null) return null;
      if (#options in input) return input as Request;
      if (!isForeign(input, "Request")) return null;
      // A stand-in for the host's (or npm undici's): its body stays there until somebody takes it.
      const native = input as globalThis.Request;
      const request = new Request(EMPTY);
      request.#method = native.method;
      request.#url = native.url;
      request.#headers = headersOver(fieldsOf(native.headers), false);
      request.#source = request.#stream = native.body ?? null;
      request.#follows = native.signal ?? null;
      request.#options = optionsOf(native);
      return request;
    };
    copyOfFields = (request) => fieldsIn(request.headers).slice();
  }

  /** Native instances are Requests too. */
  static [Symbol.hasInstance](x: unknown): boolean {
    if (typeof x !== "object" || x === null) return false;
    if (this !== Request) return Function.prototype[Symbol.hasInstance].call(this, x);
    return #options in x || Object.prototype.isPrototypeOf.call(Request.prototype, x) || isForeign(x, "Request");
  }

  get method(): string {
    return this.#method;
  }

  get url(): string {
    return (this.#url ??= this.#incoming?.url() ?? "");
  }

  get headers(): Headers {
    return (this.#headers ??=
      this.#incoming === null ? new Headers() : headersOfHead(this.#incoming.head, this.#incoming.fieldsStart));
  }

  get destination(): RequestDestination {
    this.#options;
    return "";
  }

  get referrer(): string {
    return this.#options.referrer;
  }

  get referrerPolicy(): ReferrerPolicy {
    return this.#options.referrerPolicy;
  }

  get mode(): RequestMode {
    return this.#options.mode;
  }

  get credentials(): RequestCredentials {
    return this.#options.credentials;
  }

  get cache(): RequestCache {
    return this.#options.cache;
  }

  get redirect(): RequestRedirect {
    return this.#options.redirect;
  }

  get integrity(): string {
    return this.#options.integrity;
  }

  get keepalive(): boolean {
    return this.#options.keepalive;
  }

  get isReloadNavigation(): boolean {
    this.#options;
    return false;
  }

  get isHistoryNavigation(): boolean {
    this.#options;
    return false;
  }

  get duplex(): "half" {
    this.#options;
    return "half";
  }

  /** Aborts when the client goes away, or with the signal that the request was made with. */
  get signal(): AbortSignal {
    return (this.#signal ??= this.#makeSignal());
  }

  /** The signal that can abort it; null for one that nobody can. */
  #followed(): AbortSignal | null {
    if (this.#signal !== null) return this.#signal;
    const follows = this.#follows;
    if (follows !== null) return follows instanceof AbortSignal ? follows : follows.#followed();
    return this.#incoming === null ? null : this.#incoming.signal();
  }

  #makeSignal(): AbortSignal {
    const follows = this.#follows;
    if (follows !== null) return AbortSignal.any([follows instanceof AbortSignal ? follows : follows.signal]);
    return this.#incoming === null ? new AbortController().signal : this.#incoming.signal();
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    const source = this.#body();
    if (source === null) return null;
    this.#stream ??= this.#used ? spentStream() : isNetworkBody(source) ? source.openBody() : openStream(source);
    return this.#stream as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  get bodyUsed(): boolean {
    if (this.#body() === null) return false;
    return this.#used || (this.#stream !== null && isDisturbed(this.#stream));
  }

  #body(): LightBody | NetworkBody {
    if (this.#source === undefined) this.#source = this.#incoming?.hasBody() ? this.#incoming : null;
    return this.#source;
  }

  #unusable(): boolean {
    return this.bodyUsed || (this.#stream?.locked ?? false);
  }

  /** The body for whoever reads it now; nobody can after that. */
  #take(): LightBody {
    const source = this.#body();
    if (source === null) return null;
    if (this.#unusable()) throw new TypeError(UNUSABLE);
    const taken = this.#stream ?? (isNetworkBody(source) ? source.openBody() : source);
    this.#used = true;
    return taken;
  }

  /** The same, in one piece where it comes from the network: no stream is made. */
  #takeAll(): LightBody | Promise<Uint8Array> {
    const source = this.#source ?? this.#body();
    if (source === null || !isNetworkBody(source) || this.#stream !== null || this.#used) return this.#take();
    this.#used = true;
    return source.readAll();
  }

  clone(): Request {
    if (this.#unusable())
      throw new TypeError("Request.clone: the body has already been read, or it is locked: Body is unusable");
    const copy = new Request(EMPTY);
    copy.#copy(this);
    copy.#options = this.#options;
    if (this.#incoming === null) copy.#headers = headersOver(copyOfFields(this), false);
    else copy.#incoming = this.#incoming;
    const source = this.#body();
    if (source !== null && (this.#stream !== null || isNetworkBody(source))) {
      [this.#stream, copy.#stream] = tee(this.body as ReadableStream<Uint8Array>);
      this.#source = this.#stream;
      copy.#source = copy.#stream;
    } else {
      copy.#source = source instanceof Uint8Array ? source.slice() : source;
    }
    return copy;
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return quietly(this, async () => bufferOf(await asBytes(await this.#takeAll())));
  }

  blob(): Promise<Blob> {
    return quietly(this, async () => {
      const source = await this.#takeAll();
      const type = mimeTypeOf(this.headers.get("content-type"));
      return new Blob([await asBytes(source)], { type });
    });
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return quietly(this, async () => asBytes(await this.#takeAll()));
  }

  formData(): Promise<FormData> {
    return quietly(this, async () => {
      const bytes = await asBytes(await this.#takeAll());
      return parseForm(bytes, this.headers.get("content-type"));
    });
  }

  json(): Promise<unknown> {
    return quietly(this, async () => JSON.parse(await asText(await this.#takeAll())));
  }

  text(): Promise<string> {
    return quietly(this, async () => asText(await this.#takeAll()));
  }

  textStream(): ReadableStream<string> {
    if (this.#unusable()) throw new TypeError(UNUSABLE);
    return textStreamOf(this.body);
  }

  [INSPECT](depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    const { method, url, headers, destination, referrer, referrerPolicy, mode, credentials, cache } = this;
    const { redirect, integrity, keepalive, isReloadNavigation, isHistoryNavigation, signal } = this;
    const shown = {
      method,
      url,
      headers,
      destination,
      referrer,
      referrerPolicy,
      mode,
      credentials,
      cache,
      redirect,
      integrity,
      keepalive,
      isReloadNavigation,
      isHistoryNavigation,
      signal,
    };
    return describe("Request", shown, depth, options, inspect);
  }
}

exposeInterface(Request, "Request");

function checkUrl(input: string): string {
  const url = URL.parse(input);
  if (url === null) throw new TypeError(`Request: "${input}" is not an absolute URL.`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(`Request: the URL has a user name or a password in it: ${url.origin}${url.pathname}`);
  }
  return url.href;
}

function fieldsOfName(list: readonly string[], name: string): string[] {
  return list.filter((_, i) => i % 2 === 1 && list[i - 1] === name);
}
