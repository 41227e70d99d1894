/** The head of an outgoing request (RFC 9112, 3): what the program says, and what `fetch` says where it does not. */
import manifest from "../../package.json" with { type: "json" };
import type { Target } from "./target.ts";

/** Sent where the program names none. Deno's and Node's are the same but for the agent's name. */
const DEFAULTS: readonly (readonly [name: string, value: string])[] = [
  ["accept", "*/*"],
  ["accept-language", "*"],
  ["user-agent", `Slipway/${manifest.version}`],
];
/** zstd and deflate are understood as well, but seldom pay: the list stays Deno's. */
const ENCODINGS = "gzip,br";
/** Ours to say: the message's frame, the connection, and whom we talk to. */
const OURS = new Set(["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te"]);

/** The whole request, for a GET with nothing else to say. */
export function simpleGet(target: Target): Uint8Array<ArrayBuffer> {
  return (target.get ??= Buffer.from(requestHead("GET", target, [], ""), "latin1"));
}

/** `framing` is a line or nothing; `host` what Host says, where that is not the target's own. */
export function requestHead(
  method: string,
  target: Target,
  fields: readonly string[],
  framing: string,
  host?: string,
): string {
  let head = `${method} ${target.path} HTTP/1.1\r\nhost: ${host ?? target.host}\r\n`;
  for (let i = 0; i < fields.length; i += 2) {
    if (!OURS.has(fields[i])) head += `${fields[i]}: ${fields[i + 1].replace(CONTROLS, " ")}\r\n`;
  }
  for (const [name, value] of DEFAULTS) if (!hasField(fields, name)) head += `${name}: ${value}\r\n`;
  if (!hasField(fields, "accept-encoding")) {
    // A part of what is compressed is no use (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch, step 18).
    head += `accept-encoding: ${hasField(fields, "range") ? "identity" : ENCODINGS}\r\n`;
  }
  return `${head}${framing}\r\n`;
}

/** Fetch's Headers take these in a value, RFC 9110, 5.5 does not. */
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/g;

export function hasField(fields: readonly string[], name: string): boolean {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return true;
  return false;
}

export function fieldValue(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}
