/**
 * Certificates for tests, made as they are needed: authorities, chains, names, days of validity, right and wrong ones. DER
 * by hand (X.690; RFC 5280, 4.1) and signed by node:crypto, since no openssl(1) of every machine makes an expired one.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Issued {
  /** PEM, and the chain's other certificates behind it, without the root. */
  readonly cert: string;
  readonly key: string;
  /** PEM of this one alone. */
  readonly alone: string;
  readonly name: string;
  readonly keyObject: KeyObject;
  readonly isRoot: boolean;
}

export interface Wish {
  readonly name: string;
  /** Undefined: it signs itself. */
  readonly issuer?: Issued;
  /** Whether it may sign others. */
  readonly ca?: boolean;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  /** In days from now. */
  readonly from?: number;
  readonly to?: number;
  /** For clients only. */
  readonly client?: boolean;
}

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts);
const integer = (bytes: Uint8Array) => tlv(0x02, bytes);
const bits = (bytes: Uint8Array) => tlv(0x03, Buffer.from([0]), bytes);
const octets = (bytes: Uint8Array) => tlv(0x04, bytes);
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, "hex"));
const yes = tlv(0x01, Buffer.from([0xff]));

const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";
const BASIC_CONSTRAINTS = "551d13";
const EXTENDED_KEY_USAGE = "551d25";
const SERVER_AUTH = "2b06010505070301";
const CLIENT_AUTH = "2b06010505070302";

const nameOf = (name: string) => sequence(tlv(0x31, sequence(oid(COMMON_NAME), tlv(0x0c, Buffer.from(name)))));
const time = (days: number) => {
  const at = new Date(Date.now() + days * 86_400_000).toISOString();
  return tlv(0x18, Buffer.from(`${at.slice(0, 19).replace(/[-T:]/g, "")}Z`));
};
const pem = (der: Uint8Array) => {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
};

export function issue({ name, issuer, ca = false, dns = [], ips = [], from = -1, to = 30, client }: Wish): Issued {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = issuer?.keyObject ?? privateKey;
  const extensions = [
    sequence(oid(BASIC_CONSTRAINTS), yes, octets(ca ? sequence(yes) : sequence())),
    ...(ca ? [] : [sequence(oid(EXTENDED_KEY_USAGE), octets(sequence(oid(client ? CLIENT_AUTH : SERVER_AUTH))))]),
  ];
  const names = [
    ...dns.map((one) => tlv(0x82, Buffer.from(one))),
    ...ips.map((one) => tlv(0x87, Buffer.from(one.split(".").map(Number)))),
  ];
  if (names.length > 0) extensions.push(sequence(oid(SUBJECT_ALT_NAME), octets(sequence(...names))));
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.from([1, ...randomBytes(8)])),
    ECDSA_SHA256,
    nameOf(issuer?.name ?? name),
    sequence(time(from), time(to)),
    nameOf(name),
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  );
  const alone = pem(sequence(body, ECDSA_SHA256, bits(sign("sha256", body, signer))));
  const above = issuer === undefined || issuer.isRoot ? "" : issuer.cert;
  return {
    cert: alone + above,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    alone,
    name,
    keyObject: privateKey,
    isRoot: issuer === undefined,
  };
}
