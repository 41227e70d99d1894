/** The opening handshake from the server's side (RFC 6455, 4.2), in the words of Deno where Deno has any. */
import { ClientFault } from "../http/failure.ts";
import { type Agreement, agree, parseOffers } from "./extensions.ts";

/** What a request for a WebSocket comes to. */
export interface Handshake {
  /** Fields of the 101. */
  readonly fields: string[];
  readonly protocol: string;
  readonly agreement: Agreement | undefined;
}

/** A request that asks for no WebSocket, or wrongly. Left to itself it is answered with its status, and not logged. */
export class HandshakeError extends ClientFault {
  override readonly name = "TypeError";
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }

  /** RFC 6455, 4.4: which version would have been understood. */
  response(): Response {
    const headers = this.status === 426 ? { upgrade: "websocket", "sec-websocket-version": "13" } : undefined;
    return new Response(`${this.message}\n`, { status: this.status, headers });
  }
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64 (RFC 6455, 4.1): the last character before the padding has 4 bits of nothing. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

export interface HandshakeOptions {
  readonly protocol: string | undefined;
  readonly compression: boolean;
  /** By HTTP/2 (RFC 8441), where nothing is upgraded. */
  readonly tunnel: boolean;
  /** Whether there is memory for windows of so many bytes. */
  readonly windows: (bytes: number) => boolean;
}

/** Reads the request, and makes the answer. Throws a HandshakeError. */
export function shake(method: string, headers: Headers, options: HandshakeOptions): Handshake {
  const fields = options.tunnel ? [] : ["upgrade", "websocket", "connection", "Upgrade"];
  const key = options.tunnel ? headers.get("sec-websocket-key") : checkUpgrade(method, headers);
  // RFC 8441, 5: HTTP/2 needs no proof of having understood. Clients that send a key all the same (undici) want it.
  if (key !== null && KEY.test(key)) fields.push("sec-websocket-accept", acceptFor(key));
  if (headers.get("sec-websocket-version") !== "13") {
    throw new HandshakeError("Invalid Header: 'sec-websocket-version' header must be 13", 426);
  }
  const protocol = chooseProtocol(headers.get("sec-websocket-protocol"), options.protocol);
  if (protocol !== "") fields.push("sec-websocket-protocol", protocol);
  const offers = parseOffers(headers.get("sec-websocket-extensions") ?? "");
  if (offers === undefined) {
    throw new HandshakeError("Invalid Header: 'sec-websocket-extensions' header is malformed");
  }
  const agreement = options.compression ? agree(offers, options.windows) : undefined;
  if (agreement !== undefined) fields.push("sec-websocket-extensions", agreement.text);
  return { fields, protocol, agreement };
}

/** What HTTP/1.1 asks for besides, and RFC 8441 does not (5). Returns the key. */
function checkUpgrade(method: string, headers: Headers): string {
  if (!lists(headers.get("upgrade"), "websocket")) {
    throw new HandshakeError("Invalid Header: 'upgrade' header must contain 'websocket'", 426);
  }
  if (!lists(headers.get("connection"), "upgrade")) {
    throw new HandshakeError("Invalid Header: 'connection' header must contain 'Upgrade'");
  }
  const key = headers.get("sec-websocket-key");
  if (key === null) throw new HandshakeError("Invalid Header: 'sec-websocket-key' header must be set");
  if (method !== "GET") throw new HandshakeError("Invalid method: a WebSocket is asked for with GET");
  if (!KEY.test(key)) {
    throw new HandshakeError("Invalid Header: 'sec-websocket-key' header must be 16 bytes in base64");
  }
  return key;
}

/** RFC 6455, 4.2.2. */
export function acceptFor(key: string): string {
  // Not imported: most programs have no WebSocket, and should not load it as they start.
  return process
    .getBuiltinModule("node:crypto")
    .createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

/** RFC 6455, 4.2.2: the one that the program asks for, if the client offers it. */
function chooseProtocol(offered: string | null, wanted: string | undefined): string {
  if (wanted === undefined || wanted === "") return "";
  const list = (offered ?? "").split(",").map((one) => one.trim());
  if (list.includes(wanted)) return wanted;
  throw new HandshakeError(`Protocol '${wanted}' not in the request's protocol list (non negotiable)`);
}

/** Whether a list of tokens has one of them, in whatever case. */
function lists(field: string | null, token: string): boolean {
  return field?.split(",").some((one) => one.trim().toLowerCase() === token) ?? false;
}
