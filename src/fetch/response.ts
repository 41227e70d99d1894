// biome-ignore-all lint/complexity/noArguments: Web IDL counts the arguments, whatever their values.
// biome-ignore-all lint/complexity/noThisInStatic: a subclass inherits hasInstance and must not mean this class.
/**
 * `Response` of the Fetch standard (https://fetch.spec.whatwg.org/#response-class), light: one object, no stream,
 * no Headers and no other allocation until someone asks for them.
 *
 * What the server wants to know it asks the functions below the class, which make nothing.
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
  sourceOf,
  spentStream,
  TEXT_TYPE,
  tee,
  textStreamOf,
  UNUSABLE,
} from "./body.ts";
import { giveBack } from "./copies.ts";
import { dropDecodedFields, rememberStream, UNTRUE } from "./decoded.ts";
import { parseForm } from "./form.ts";
import { reasonPhrase } from "./header-syntax.ts";
import { fieldsOf, forwardable, type Headers, headersOfHead, headersOver } from "./headers.ts";
import { describe, INSPECT } from "./inspect.ts";
import { exposeInterface, required } from "./interface.ts";
import { mimeTypeOf } from "./mime.ts";
import { isForeign } from "./native.ts";

/** What our own client knows of a response whose head has arrived; the light Response reads it only when touched. */
export interface IncomingResponse {
  readonly status: number;
  readonly statusText: string;
  /** Status line and field lines as latin1, without the CRLFs at the end. The lines are valid. */
  readonly head: string;
  /** The index in `head` of the first field line. */
  readonly fieldsStart: number;
  /** What was asked for in the end, after redirects, without a fragment. */
  readonly url: string;
  readonly redirected: boolean;
  /** "cors" once a redirect has led to another origin. */
  readonly type: ResponseType;
  /** The body is no longer in the coding that the head names. */
  readonly decoded: boolean;
}

/** In the place of bytes that were sent. */
const NOTHING = new Uint8Array(0);
const USED = 1;
const IMMUTABLE = 2;
const ERROR = 4;

// The functions that see the private fields; assigned in the class's static block, so that a call costs a field read.

/** A response of status 101, which the constructor refuses to make. */
export let switchingProtocols: (fields: string[]) => Response;
/** The same status under other fields, and with another body or the same: bytes are its own from here on. */
export let encodedResponse: (response: globalThis.Response, fields: string[], body: LightBody) => Response;
/** What a proxy passes on: any status, and fields of which nothing concerns a connection. */
export let passedOn: (status: number, statusText: string, fields: string[], body: LightBody | NetworkBody) => Response;
/** The Response of a response from the network. Its headers are immutable; bytes are its own from here on. */
export let responseFrom: (incoming: IncomingResponse, body: null | Uint8Array | NetworkBody) => Response;
/** True for a Response of ours, false for a native one and everything else. */
export let isLightResponse: (x: unknown) => x is Response;
export let responseStatus: (response: globalThis.Response) => number;
export let responseStatusText: (response: globalThis.Response) => string;
/** The body, neither consumed nor marked; ask `responseBodyUsed` first. Strings, bytes and Blobs can be sent as they are. */
export let responseBody: (response: globalThis.Response) => LightBody;
/** True if the body was read, or is locked by a reader: it can't be sent. */
export let responseBodyUsed: (response: globalThis.Response) => boolean;
/** The server took the body. */
export let markBodyUsed: (response: globalThis.Response) => void;
/** The server has sent the body: memory that nobody else has seen is used again. */
export let recycleBody: (response: globalThis.Response) => void;
/** The content type that the body implies; null where the headers say it, or nobody does. */
export let responseContentType: (response: globalThis.Response) => string | null;
/** The explicit fields: name, value, name, value …; names in lower case, each set-cookie by itself. Not a copy. */
export let responseFields: (response: globalThis.Response) => readonly string[] | null;
/** A field that the server says, where the program has not; it must be valid. Switching protocols is not for it. */
export let addField: (response: globalThis.Response, name: string, value: string) => void;

export class Response implements globalThis.Response {
  #source: LightBody | NetworkBody = null;
  /** What came from the network. */
  #incoming: IncomingResponse | null = null;
  /** The content type that the body implies, until it stands in the fields. */
  #type: string | null = null;
  /** Flat list of the explicit fields; #headers, once there, works on the same list. */
  #fields: string[] | null = null;
  #headers: Headers | null = null;
  #status = 200;
  #statusText = "";
  /** What `body` has shown. */
  #stream: ReadableStream<Uint8Array> | null = null;
  #flags = 0;

  // Parameters with a default don't count in `Response.length`, which the standard says is 0.
  constructor(body: BodyInit | null = null, init: ResponseInit | undefined = undefined) {
    if (typeof body === "string") {
      this.#source = body;
      this.#type = TEXT_TYPE;
    } else if (body !== null) {
      const { source, type } = extractBody(body);
      this.#source = source;
      this.#type = type;
      if (source instanceof ReadableStream) this.#stream = source;
    }
    if (init !== undefined && init !== null) this.#initialize(init);
  }

  #initialize(init: ResponseInit): void {
    if (typeof init !== "object" && typeof init !== "function") throw new TypeError("Response: init is not an object.");
    const { headers, status, statusText } = init;
    if (status !== undefined) this.#status = checkStatus(status);
    if (statusText !== undefined) this.#statusText = reasonPhrase(statusText);
    if (headers !== undefined) {
      const fields = fieldsOf(headers);
      if (this.#stream !== null) dropDecodedFields(fields, this.#stream, init);
      this.#fields = fields;
      if (this.#type !== null && hasContentType(fields)) this.#type = null;
    }
    if (this.#source !== null && isNullBodyStatus(this.#status)) {
      throw new TypeError(`Response: a response with status ${this.#status} can't have a body.`);
    }
  }

  /** A network error: what `fetch` answers where nothing could be had. */
  static error(): Response {
    const response = new Response();
    response.#status = 0;
    response.#flags = IMMUTABLE | ERROR;
    return response;
  }

  /** `Response.json({ ok: true })`: the value as JSON, with its content type. */
  static json(data: unknown, init: ResponseInit | undefined = undefined): Response {
    required(arguments.length, 1, "Response.json");
    const text: unknown = JSON.stringify(data);
    if (typeof text !== "string") throw new TypeError("Response.json: the value can't be written as JSON.");
    const response = new Response(text, init);
    if (response.#type !== null) response.#type = "application/json";
    return response;
  }

  /** `Response.redirect("https://example.com/", 303)`. */
  static redirect(url: string | URL, status = 302): Response {
    required(arguments.length, 1, "Response.redirect");
    const location = parseUrl(String(url)).href;
    const code = unsignedShort(status);
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`Response.redirect: ${code} is not a redirect status (301, 302, 303, 307 or 308).`);
    }
    const response = new Response();
    response.#status = code;
    response.#fields = ["location", location];
    response.#flags = IMMUTABLE;
    return response;
  }

  static {
    isLightResponse = (x): x is Response => typeof x === "object" && x !== null && #source in x;
    switchingProtocols = (fields) => {
      const response = new Response();
      response.#status = 101;
      response.#fields = fields;
      return response;
    };
    responseFrom = (incoming, body) => {
      const response = new Response();
      response.#incoming = incoming;
      response.#status = incoming.status;
      response.#statusText = incoming.statusText;
      response.#source = body;
      return response;
    };
    encodedResponse = (from, fields, body) => {
      const response = new Response();
      response.#status = (from as Response).#status;
      response.#statusText = (from as Response).#statusText;
      response.#type = (from as Response).#type;
      response.#fields = fields;
      response.#source = body;
      if (body instanceof ReadableStream) response.#stream = body;
      return response;
    };
    passedOn = (status, statusText, fields, body) => {
      const response = new Response();
      response.#status = status;
      response.#statusText = statusText;
      response.#fields = fields;
      response.#source = body;
      if (body instanceof ReadableStream) response.#stream = body;
      return response;
    };
    responseStatus = (r) => (r as Response).#status;
    responseStatusText = (r) => (r as Response).#statusText;
    responseBody = (r) => {
      const stream = (r as Response).#stream;
      if (stream !== null) return sourceOf(stream);
      const source = (r as Response).#source;
      return isNetworkBody(source) ? r.body : source;
    };
    responseBodyUsed = (r) => (r as Response).#unusable();
    markBodyUsed = (r) => {
      (r as Response).#flags |= USED;
    };
    recycleBody = (r) => {
      const response = r as Response;
      const source = response.#source;
      // A stream that was shown reads a copy of its own, but another response may have been made of it (`sourceOf`).
      if (!(source instanceof Uint8Array) || response.#stream !== null || (response.#flags & USED) === 0) return;
      response.#source = NOTHING;
      giveBack(source as Uint8Array<ArrayBuffer>);
    };
    responseContentType = (r) => (r as Response).#type;
    responseFields = (r) => {
      const response = r as Response;
      if (response.#incoming !== null)
        response.#fields ??= fieldsToSendOn(response.headers, response.#incoming.decoded);
      const fields = response.#fields;
      return fields === null || fields.length === 0 ? null : fields;
    };
    addField = (r, name, value) => {
      const response = r as Response;
      if (response.#status === 101) return;
      const fields = responseFields(r);
      for (let i = 0; fields !== null && i < fields.length; i += 2) if (fields[i] === name) return;
      (response.#fields ??= []).push(name, value);
    };
  }

  /** Native instances are Responses too. */
  static [Symbol.hasInstance](x: unknown): boolean {
    if (typeof x !== "object" || x === null) return false;
    if (this !== Response) return Function.prototype[Symbol.hasInstance].call(this, x);
    return #source in x || Object.prototype.isPrototypeOf.call(Response.prototype, x) || isForeign(x, "Response");
  }

  get type(): ResponseType {
    if (this.#incoming !== null) return this.#incoming.type;
    return (this.#flags & ERROR) !== 0 ? "error" : "default";
  }

  /** Empty, but for what `fetch` has answered. */
  get url(): string {
    return this.#incoming === null ? "" : this.#incoming.url;
  }

  get redirected(): boolean {
    return this.#incoming?.redirected ?? false;
  }

  get status(): number {
    return this.#status;
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get headers(): Headers {
    return this.#headers ?? this.#openHeaders();
  }

  #openHeaders(): Headers {
    if (this.#incoming !== null) {
      return (this.#headers = headersOfHead(this.#incoming.head, this.#incoming.fieldsStart));
    }
    const fields = (this.#fields ??= []);
    if (this.#type !== null) fields.push("content-type", this.#type);
    this.#type = null;
    this.#headers = headersOver(fields, (this.#flags & IMMUTABLE) !== 0);
    return this.#headers;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    const source = this.#source;
    if (source === null) return null;
    if (this.#stream === null) {
      const used = (this.#flags & USED) !== 0;
      this.#stream = used ? spentStream() : isNetworkBody(source) ? this.#receive(source) : openStream(source);
    }
    return this.#stream as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  get bodyUsed(): boolean {
    if (this.#source === null) return false;
    return (this.#flags & USED) !== 0 || (this.#stream !== null && isDisturbed(this.#stream));
  }

  #receive(source: NetworkBody): ReadableStream<Uint8Array> {
    const stream = source.openBody();
    if (this.#incoming?.decoded) rememberStream(stream);
    return stream;
  }

  #unusable(): boolean {
    return this.bodyUsed || (this.#stream?.locked ?? false);
  }

  /** The body for whoever reads it now; nobody can after that. */
  #take(): LightBody {
    if (this.#source === null) return null;
    if (this.#unusable()) throw new TypeError(UNUSABLE);
    const source = this.#source;
    const taken = this.#stream ?? (isNetworkBody(source) ? this.#receive(source) : source);
    this.#flags |= USED;
    return taken;
  }

  /** The same, in one piece where it comes from the network: no stream is made. */
  #takeAll(): LightBody | Promise<Uint8Array> {
    const source = this.#source;
    if (this.#stream !== null || (this.#flags & USED) !== 0 || !isNetworkBody(source)) return this.#take();
    this.#flags |= USED;
    return source.readAll();
  }

  clone(): Response {
    if (this.#unusable())
      throw new TypeError("Response.clone: the body has already been read, or it is locked: Body is unusable");
    const copy = new Response();
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#fields = this.#fields === null ? null : this.#fields.slice();
    copy.#type = this.#type;
    copy.#flags = this.#flags;
    copy.#incoming = this.#incoming;
    if (isNetworkBody(this.#source)) this.#stream = this.body;
    if (this.#stream !== null) {
      [this.#stream, copy.#stream] = tee(this.#stream);
      this.#source = this.#stream;
      copy.#source = copy.#stream;
    } else {
      const source = this.#source;
      copy.#source = source instanceof Uint8Array ? source.slice() : source;
    }
    return copy;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return bufferOf(await asBytes(await this.#takeAll()));
  }

  async blob(): Promise<Blob> {
    const source = await this.#takeAll();
    const type = mimeTypeOf(this.#contentType());
    return new Blob([await asBytes(source)], { type });
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return asBytes(await this.#takeAll());
  }

  async formData(): Promise<FormData> {
    const source = await this.#takeAll();
    return parseForm(await asBytes(source), this.#contentType());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await asText(await this.#takeAll()));
  }

  async text(): Promise<string> {
    return asText(await this.#takeAll());
  }

  textStream(): ReadableStream<string> {
    if (this.#unusable()) throw new TypeError(UNUSABLE);
    return textStreamOf(this.body);
  }

  #contentType(): string | null {
    return this.#type ?? this.headers.get("content-type");
  }

  [INSPECT](depth: number, options: object, inspect?: (value: unknown, options: object) => string): string {
    const { status, statusText, headers, body, bodyUsed, ok, redirected, type, url } = this;
    const shown = { status, statusText, headers, body, bodyUsed, ok, redirected, type, url };
    return describe("Response", shown, depth, options, inspect);
  }
}

exposeInterface(Response, "Response");

/** What another server's response says, for whoever hands it on: without the fields of the connection it came over. */
function fieldsToSendOn(headers: Headers, decoded: boolean): string[] {
  return forwardable(headers)
    .filter(([name]) => !decoded || !UNTRUE.includes(name))
    .flat();
}

function hasContentType(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === "content-type") return true;
  return false;
}

function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function checkStatus(input: unknown): number {
  const status = unsignedShort(input);
  if (status < 200 || status > 599) throw new RangeError(`Response: status ${status} is not in the range 200 to 599.`);
  return status;
}

/** Web IDL's unsigned short: whatever it is, modulo 65536. */
function unsignedShort(input: unknown): number {
  if (typeof input === "number" && (input & 0xffff) === input) return input;
  const number = Math.trunc(Number(input));
  return Number.isFinite(number) ? ((number % 65536) + 65536) % 65536 : 0;
}

function parseUrl(url: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new TypeError(`Response.redirect: "${url}" is not an absolute URL.`, { cause });
  }
}
