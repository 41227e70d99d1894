/**
 * Makes certificates (RFC 5280, in DER: X.690), which Node's crypto reads but does not write: as much of it as one for
 * `--tls self-signed` needs.
 */
import type { KeyObject } from "node:crypto";

export interface CertificateRequest {
  readonly commonName: string;
  /** DNS names and IP addresses that it is for. */
  readonly names: readonly string[];
  readonly publicKey: KeyObject;
  /** Whose signature it gets: with its own key it is self-signed. */
  readonly issuer: { readonly commonName: string; readonly privateKey: KeyObject };
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** What it is good for: a server (the default), a client, or to sign others. */
  readonly use?: "server" | "client" | "authority";
}

/** In PEM. */
export function makeCertificate(request: CertificateRequest): string {
  const { commonName, names, publicKey, issuer, notBefore, notAfter, use = "server" } = request;
  const crypto = process.getBuiltinModule("node:crypto");
  // Positive, and of 16 bytes at the most (4.1.2.2).
  const serial = crypto.randomBytes(16);
  serial[0] = (serial[0] & 0x3f) | 0x40;
  const { algorithm, digest } = signatureOf(issuer.privateKey);
  const extensions = [
    extension("2.5.29.19", true, sequence(...(use === "authority" ? [der(0x01, Buffer.of(0xff))] : []))),
    // digitalSignature; keyCertSign and cRLSign: bits from the left.
    extension("2.5.29.15", true, der(0x03, use === "authority" ? Buffer.of(1, 0x06) : Buffer.of(7, 0x80))),
    ...(use === "authority"
      ? []
      : [extension("2.5.29.37", false, sequence(oid(use === "server" ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")))]),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", false, sequence(...names.map(alternativeName)))]),
  ];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    algorithm,
    nameOf(issuer.commonName),
    sequence(time(notBefore), time(notAfter)),
    nameOf(commonName),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = crypto.sign(digest, body, issuer.privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** AlgorithmIdentifier (RFC 5758, 3.2; RFC 4055, 5; RFC 8410, 3), and the digest that Node is to be told. */
function signatureOf({ asymmetricKeyType }: KeyObject): { algorithm: Buffer; digest: string | null } {
  switch (asymmetricKeyType) {
    case "ec":
      return { algorithm: sequence(oid("1.2.840.10045.4.3.2")), digest: "sha256" };
    case "rsa":
      return { algorithm: sequence(oid("1.2.840.113549.1.1.11"), der(0x05, Buffer.alloc(0))), digest: "sha256" };
    case "ed25519":
      return { algorithm: sequence(oid("1.3.101.112")), digest: null };
    default:
      throw new TypeError(`no certificate is made with a key of type ${asymmetricKeyType}`);
  }
}

/** A tag, the length, and what is in it. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const bytes = length < 0x100 ? [length] : [length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length, ...bytes), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, Buffer.concat(parts));

function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

/** Name: one attribute, the common name, as UTF8String. */
const nameOf = (commonName: string): Buffer =>
  sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(commonName)))));

/** UTCTime until 2049, GeneralizedTime from then on (4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value));

/** GeneralName: [2] dNSName or [7] iPAddress. */
function alternativeName(name: string): Buffer {
  if (/^[\d.]+$/.test(name)) return der(0x87, Buffer.from(name.split(".").map(Number)));
  if (name === "::1") return der(0x87, Buffer.from([...Array(15).fill(0), 1]));
  return der(0x82, Buffer.from(name, "latin1"));
}
