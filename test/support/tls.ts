/**
 * A certificate of tests, for localhost, that its own key has signed; nobody trusts it, and it is good for nothing else.
 * With SLIPWAY_TEST_TLS=1 the servers of `test/http` speak TLS with it, and so do their clients: the same tests hold there.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { httpsContext } from "../../src/http/mod.ts";
import type { TlsContext } from "../../src/tls/context.ts";

const folder = join(import.meta.dirname, "tls");
export const certFile: string = join(folder, "cert.pem");
export const keyFile: string = join(folder, "key.pem");
export const identity = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") } as const;

/** Another one, of RSA. */
export const otherCertFile: string = join(folder, "other-cert.pem");
export const otherKeyFile: string = join(folder, "other-key.pem");

export const overTls: boolean = process.env["SLIPWAY_TEST_TLS"] === "1";
// For `fetch`, which can be told in no other way.
if (overTls) {
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  // That it is not safe would be a line where tests count lines.
  process.removeAllListeners("warning");
}

/** What a server of the tests speaks TLS with, if it does. */
export function tlsContext(): TlsContext | undefined {
  return overTls ? httpsContext({ certificates: [identity] }) : undefined;
}
