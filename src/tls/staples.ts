/**
 * What a certificate's authority says of it (OCSP, RFC 6960), which servers show beside it (RFC 6066, 8: "stapling"). Whoever
 * asks the authority writes the answer to a file; we show it as long as it holds, since a client may refuse an old one.
 */
import type { X509Certificate } from "node:crypto";
import type { Pointer } from "../../ffi/openssl.ts";
import { type Staples, stapleFrom } from "../../ffi/openssl-callbacks.ts";
import { logLine } from "../runtime/log.ts";
import { TlsConfigError } from "./identity.ts";

const all: Staples = new Map();

/**
 * Of this certificate from here on; undefined: of none. Throws a sentence for what is no answer of an authority. One that
 * does not hold, or is about the certificate before, is said and not shown: it must not keep a new certificate out.
 */
export function keepStaple(certificate: X509Certificate, response: Uint8Array | undefined): void {
  for (const [key, { until }] of all) if (until <= Date.now()) all.delete(key);
  const key = certificate.raw.toString("latin1");
  all.delete(key);
  if (response === undefined) return;
  const text = Buffer.from(response).toString("latin1");
  const until = readUntil(text);
  const about = text.includes(Buffer.from(certificate.serialNumber, "hex").toString("latin1"));
  if (about && until > Date.now()) all.set(key, { response: new Uint8Array(response), until });
  else logLine(`the OCSP response ${about ? "holds no longer" : "is about another certificate"}, and is not shown`);
}

export function showStaples(context: Pointer): void {
  stapleFrom(context, all);
}

/**
 * Until when it holds. OCSPResponse is a sequence whose first member is an ENUMERATED, 0 for success; each certificate in it
 * is named by its serial number, and its nextUpdate is the only GeneralizedTime within a [0].
 */
function readUntil(text: string): number {
  const head = /^\x30(?:[\x00-\x7f]|\x81.|\x82..)\x0a\x01(.)/s.exec(text);
  if (head === null) throw new TlsConfigError("TLS: the OCSP response can't be read: it is not in DER");
  const status = head[1].charCodeAt(0);
  if (status !== 0) throw new TlsConfigError(`TLS: the OCSP response is an error of the authority (${status})`);
  const next = /\xa0\x11\x18\x0f(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z/.exec(text);
  if (next === null) throw new TlsConfigError("TLS: the OCSP response does not say until when it holds (nextUpdate)");
  const [, year, month, day, hour, minute, second] = next.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
