/** TLS as a client sees it, by Node's own. Old versions have to be asked for with every guard of this client down. */
import type { TLSSocket } from "node:tls";
import { type Attack, type Context, fail, type Outcome, pass, warn } from "../attack.ts";
import { handshake } from "../tls-transport.ts";

const HANDSHAKE_MS = 5_000;
const DAY = 86_400_000;
type Version = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

interface Fact {
  readonly id: string;
  readonly name: string;
  readonly rule: string;
  readonly sent: string;
  readonly want: string;
  run(context: Context): Promise<Outcome>;
}

const fact = (each: Fact): Attack => ({ ...each, id: `tls/${each.id}`, family: "tls", pace: "brisk", quick: true });

/** "TLSv1.2 ECDHE-…" when the handshake ends well, else the reason. */
async function shake(context: Context, options: object): Promise<{ ok: boolean; told: string }> {
  const { target, address } = context.wires;
  try {
    const socket = await handshake(target, address, HANDSHAKE_MS, options);
    const told = `${socket.getProtocol()} ${socket.getCipher()?.name}`;
    socket.destroy();
    return { ok: true, told };
  } catch (error) {
    return { ok: false, told: error instanceof Error ? error.message.split("\n")[0] : String(error) };
  }
}

const only = (version: Version): object => ({
  minVersion: version,
  maxVersion: version,
  ciphers: "ALL:@SECLEVEL=0",
});

const twelve = (ciphers: string): object => ({
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  ciphers: `${ciphers}:@SECLEVEL=0`,
});

function old(version: Version, shown: string): Attack {
  return fact({
    id: shown.replace(" ", "-").toLowerCase(),
    name: `${shown} is refused`,
    rule: "RFC 8996",
    sent: `a handshake of ${shown} only`,
    want: "refused",
    async run(context) {
      const { ok, told } = await shake(context, only(version));
      return ok ? fail(`accepted: ${told}`) : pass("refused");
    },
  });
}

export const tlsFacts: readonly Attack[] = [
  old("TLSv1", "TLS 1.0"),
  old("TLSv1.1", "TLS 1.1"),
  fact({
    id: "tls-1.3",
    name: "TLS 1.3 is spoken",
    rule: "RFC 9325, 3.1.1",
    sent: "a handshake of TLS 1.3 only",
    want: "accepted",
    async run(context) {
      const { ok, told } = await shake(context, { minVersion: "TLSv1.3" });
      return ok ? pass(told) : warn(`refused: ${told}`);
    },
  }),
  fact({
    id: "weak-ciphers",
    name: "no cipher without secrecy or forward secrecy",
    rule: "RFC 9325, 4.1 and 4.2",
    sent: "handshakes of TLS 1.2 with NULL, export, RC4, 3DES and anonymous ciphers only, and with plain RSA only",
    want: "refused",
    async run(context) {
      const weak = await shake(context, twelve("NULL:EXPORT:LOW:RC4:3DES:aNULL"));
      if (weak.ok) return fail(`accepted: ${weak.told}`);
      const rsa = await shake(context, twelve("kRSA"));
      return rsa.ok ? warn(`accepted: ${rsa.told}, without forward secrecy`) : pass("refused");
    },
  }),
  fact({
    id: "certificate",
    name: "the certificate is valid, and for a while",
    rule: "RFC 5280, 4.1.2.5",
    sent: "a handshake",
    want: "valid now, 30 days or more left, a key of 2048 bits (RSA) or 224 (EC) or more, and the name asked for",
    async run(context) {
      const { target, address } = context.wires;
      const socket = await handshake(target, address, HANDSHAKE_MS);
      try {
        return judgeCertificate(socket, target.serverName);
      } finally {
        socket.destroy();
      }
    },
  }),
];

function judgeCertificate(socket: TLSSocket, name: string | undefined): Outcome {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return fail("the server shows no certificate");
  const { validFromDate, validToDate, publicKey } = certificate;
  const days = Math.floor((validToDate.getTime() - Date.now()) / DAY);
  const dates = `valid to ${validToDate.toISOString().slice(0, 10)}`;
  if (days < 0) return fail(`it has run out: ${dates}`);
  if (validFromDate.getTime() > Date.now()) return fail(`it is valid only from ${validFromDate.toISOString()} on`);
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < 2048) return fail(`its key has ${bits} bits`);
  if (days < 30) return warn(`${dates}: ${days} days left`);
  const shown = `${dates}, ${days} days left, ${publicKey.asymmetricKeyType}${bits === undefined ? "" : ` ${bits}`}`;
  // On this machine a server is often asked by an address or as localhost: no fault of its certificate.
  if (name !== undefined && certificate.checkHost(name) === undefined) return warn(`${shown}; it is not for ${name}`);
  return pass(`${shown}${certificate.checkIssued(certificate) ? ", self-signed" : ""}`);
}
