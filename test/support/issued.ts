/**
 * Certificates for tests of clients, made as they are needed: authorities, chains, names, days of validity, right and wrong
 * ones.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { makeCertificate } from "../../src/tls/x509.ts";

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

const DAY = 86_400_000;

export function issue({ name, issuer, ca = false, dns = [], ips = [], from = -1, to = 30, client }: Wish): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const alone = makeCertificate({
    commonName: name,
    names: [...dns, ...ips],
    publicKey,
    issuer: { commonName: issuer?.name ?? name, privateKey: issuer?.keyObject ?? privateKey },
    notBefore: new Date(now + from * DAY),
    notAfter: new Date(now + to * DAY),
    use: ca ? "authority" : client ? "client" : "server",
  });
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
