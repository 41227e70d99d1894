/** Certificates of tests, made as they run: for any name, by any authority, of any age. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { makeCertificate } from "../../src/tls/x509.ts";

export interface Made {
  readonly cert: string;
  readonly key: string;
  readonly privateKey: KeyObject;
  readonly commonName: string;
}

export interface Wish {
  readonly commonName?: string;
  readonly type?: "ec" | "rsa" | "ed25519";
  readonly use?: "server" | "client" | "authority";
  /** Self-signed without. */
  readonly by?: Made;
  /** From now; negative: it has run out. */
  readonly days?: number;
}

const DAY = 86_400_000;

export function certificate(names: readonly string[], wish: Wish = {}): Made {
  const { commonName = "test", type = "ec", use = "server", by, days = 2 } = wish;
  const { publicKey, privateKey } =
    type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ed25519");
  const now = Date.now();
  const cert = makeCertificate({
    ...{ commonName, names, publicKey, use },
    issuer: by ?? { commonName, privateKey },
    notBefore: new Date(now - 10 * DAY),
    notAfter: new Date(now + days * DAY),
  });
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string, privateKey, commonName };
}
