/**
 * A certificate for this machine alone (`--tls self-signed`): made once for each user and kept, so that whoever has come to
 * trust it, a browser or curl, does so tomorrow. Certificate and key are one file, which is there as a whole or not at all,
 * however many servers start at once; what clients are to trust is beside it, without the key.
 */
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "./x509.ts";

const NAMES = ["localhost", "127.0.0.1", "::1"];
const DAY = 86_400_000;
/** Less than what browsers accept at all (398), and made anew when less than the rest is left. */
const DAYS = 365;
const RENEW_DAYS = 30;
const HOUR = 3_600_000;

export interface SelfSigned {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** SHA-256. */
  readonly fingerprint: string;
  /** The certificate's, for clients to trust; undefined where nothing could be written. */
  readonly file: string | undefined;
}

/** Where the files are: the XDG Base Directory Specification's place for what is kept between runs. */
export function selfSignedFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const state = env["XDG_STATE_HOME"];
  // Relative ones are to be ignored.
  return join(state?.startsWith("/") ? state : join(homedir(), ".local", "state"), "slipway");
}

/** The one that there is, if it holds for a month; else a new one. Without a place to write, one for this process. */
export function selfSigned(folder: string = selfSignedFolder(), now: number = Date.now()): SelfSigned {
  const pair = join(folder, "localhost-pair.pem");
  const file = join(folder, "localhost.pem");
  const old = read(pair, now);
  if (old !== undefined) return { ...old, file: shown(file, old.cert) };
  const made = make(now);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const mine = `${pair}.${process.pid}.${crypto.randomUUID()}`;
    writeFileSync(mine, made.key + made.cert, { mode: 0o600 });
    try {
      // Of several that start at once the first wins; what is there and of no use any more is replaced.
      if (statSync(pair, { throwIfNoEntry: false }) === undefined) linkSync(mine, pair);
      else if (read(pair, now) === undefined) renameSync(mine, pair);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(mine, { force: true });
    }
  } catch {
    return { ...made, file: undefined };
  }
  const kept = read(pair, now) ?? made;
  return { ...kept, file: shown(file, kept.cert) };
}

function make(now: number): Omit<SelfSigned, "file"> {
  const { generateKeyPairSync, X509Certificate } = process.getBuiltinModule("node:crypto");
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const commonName = "localhost";
  const cert = makeCertificate({
    ...{ commonName, names: NAMES, publicKey },
    issuer: { commonName, privateKey },
    // Clocks differ.
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + DAYS * DAY),
  });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { cert, key, fingerprint: new X509Certificate(cert).fingerprint256 };
}

/** Undefined for what is not there, not whole, not ours alone, or not for long. */
function read(pair: string, now: number): Omit<SelfSigned, "file"> | undefined {
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule("node:crypto");
  try {
    const text = readFileSync(pair, "latin1");
    // Whoever could read the key can be this machine.
    if ((statSync(pair).mode & 0o077) !== 0) return undefined;
    const at = text.indexOf("-----BEGIN CERTIFICATE");
    const [key, cert] = [text.slice(0, at), text.slice(at)];
    const certificate = new X509Certificate(cert);
    if (certificate.validToDate.getTime() - now < RENEW_DAYS * DAY) return undefined;
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return undefined;
    return { cert, key, fingerprint: certificate.fingerprint256 };
  } catch {
    return undefined;
  }
}

function shown(file: string, cert: string): string | undefined {
  try {
    if (readOr(file) !== cert) {
      const next = `${file}.${process.pid}.${crypto.randomUUID()}`;
      writeFileSync(next, cert);
      chmodSync(next, 0o644);
      renameSync(next, file);
    }
    return file;
  } catch {
    return undefined;
  }
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
}
