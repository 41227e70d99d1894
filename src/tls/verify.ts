/** Why a handshake failed, in one line for a person: what is wrong with the certificate, or what the peer said. */
import type { Refusal } from "../../ffi/openssl-client.ts";

// openssl/x509_vfy.h
const NOT_YET_VALID = 9;
const EXPIRED = 10;
const SELF_SIGNED_LEAF = 18;
const SELF_SIGNED_IN_CHAIN = 19;
const ISSUER_UNKNOWN = new Set([2, 20, 21, 27]);
const REVOKED = 23;
const WRONG_PURPOSE = 26;
const WRONG_NAME = new Set([62, 64]);

/** Names that are listed in a message. */
const MAX_NAMES = 8;

/** `hostname` is whom the client wanted. What comes first are Deno's words, which programs match on. */
export function certificateRefused({ code, words, certificate }: Refusal, hostname: string): string {
  return `invalid peer certificate: ${sentence(code, words, certificate, hostname)}`;
}

function sentence(code: number, words: string, der: Buffer | undefined, hostname: string): string {
  const certificate = der && parse(der);
  const subject = certificate === undefined ? "it" : nameOf(certificate.subject);
  if (WRONG_NAME.has(code)) {
    const names = certificate === undefined ? [] : namesOf(certificate.subjectAltName);
    const them = names.length === 0 ? "not valid for any names" : `only valid for ${listed(names)}`;
    return `certificate not valid for name ${JSON.stringify(hostname)}; certificate is ${them}`;
  }
  if (code === EXPIRED) return `${subject} has expired${certificate ? `, on ${day(certificate.validToDate)}` : ""}`;
  if (code === NOT_YET_VALID) {
    return `${subject} is not valid yet${certificate ? `, not before ${certificate.validFromDate.toISOString()}` : ""}; is the clock right?`;
  }
  if (code === SELF_SIGNED_LEAF)
    return `UnknownIssuer: it is self-signed (${subject}), and not one that is trusted; ${TRUST}`;
  if (code === SELF_SIGNED_IN_CHAIN) return `UnknownIssuer: its root (${subject}) is not one that is trusted; ${TRUST}`;
  if (ISSUER_UNKNOWN.has(code)) {
    const issuer = certificate === undefined ? "" : ` (${nameOf(certificate.issuer)})`;
    return `UnknownIssuer: its issuer${issuer} is unknown: the server left out an intermediate certificate, or its root is not trusted; ${TRUST}`;
  }
  if (code === REVOKED) return `${subject} has been revoked`;
  if (code === WRONG_PURPOSE) return `${subject} may not be used by servers`;
  return `${words}${certificate ? ` (${subject})` : ""}`;
}

const TRUST = "caCerts, NODE_EXTRA_CA_CERTS or SSL_CERT_FILE can add a root";

interface Parsed {
  readonly subject: string;
  readonly issuer: string;
  readonly subjectAltName: string | undefined;
  readonly validFromDate: Date;
  readonly validToDate: Date;
}

function parse(der: Buffer): Parsed | undefined {
  try {
    const { X509Certificate } = process.getBuiltinModule("node:crypto");
    return new X509Certificate(der) as unknown as Parsed;
  } catch {
    return undefined;
  }
}

/** The Common Name where there is one, else all of a distinguished name; on one line, and not too long. */
function nameOf(distinguished: string | undefined): string {
  const text = distinguished ?? "";
  return printable(/^CN=(.*)$/m.exec(text)?.[1] ?? text.split("\n").join(", ")) || "it";
}

/** "DNS:a.example, DNS:b.example, IP Address:192.0.2.1", written as under Deno. */
function namesOf(alternative: string | undefined): string[] {
  return (alternative ?? "").split(", ").flatMap((text) => {
    const [, kind, name] = /^(DNS|IP Address):(.*)$/.exec(text) ?? [];
    if (kind === undefined) return [];
    return [kind === "DNS" ? `DnsName(${JSON.stringify(printable(name))})` : `IpAddress(${printable(name)})`];
  });
}

function listed(names: readonly string[]): string {
  if (names.length > MAX_NAMES) return `${names.slice(0, MAX_NAMES).join(", ")} and ${names.length - MAX_NAMES} more`;
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((text) => text !== "").join(" or ");
}

/** What strangers have written, in a line of ours. */
function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e\xa0-\u{10ffff}]/gu, "?");
  return clean.length > 100 ? `${clean.slice(0, 100)}…` : clean;
}

const day = (date: Date): string => date.toISOString().slice(0, 10);

/** What OpenSSL says of a handshake that failed, or of a record that came later, in a sentence of ours. */
export function handshakeReason(reason: string, server: boolean): string {
  const peer = server ? "client" : "server";
  const alert = /alert (?:number )?(.+)$/i.exec(reason);
  if (alert !== null) return `received fatal alert: the ${peer} refused with "${alert[1]}"`;
  if (/wrong version number|http request|packet length too long/i.test(reason)) {
    return `the ${peer} does not speak TLS there`;
  }
  if (/unsupported protocol|no protocols available/i.test(reason)) return `the ${peer} speaks no TLS from 1.2 on`;
  if (/no shared cipher/i.test(reason)) return "there is no cipher that both sides accept";
  if (/no application protocol/i.test(reason)) return "there is no protocol (ALPN) that both sides speak";
  return reason === "" ? "it failed" : reason;
}
