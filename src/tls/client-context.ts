/**
 * Whom a client trusts, and who it is: an SSL_CTX for each choice of those, and of it an SSL for each connection, that
 * knows which name its server's certificate must be for. OpenSSL verifies the chain and the name, in the handshake.
 *
 * Trusted are the roots that Node carries, with NODE_EXTRA_CA_CERTS; SSL_CERT_FILE, as with OpenSSL and Go, names a file
 * of others to be trusted in their place.
 */
import { readFileSync } from "node:fs";
import type { SecureContext, SecureContextOptions } from "node:tls";
import { openSsl, type Pointer } from "../../ffi/openssl.ts";
import { openSslClient } from "../../ffi/openssl-client.ts";
import { parseIp } from "../net/ip.ts";
import { InvalidData } from "../runtime/errors.ts";
import { CIPHERS } from "./context.ts";
import type { TlsIdentity } from "./identity.ts";
import { explained, preparedContext } from "./secure-context.ts";

export interface ClientIdentity {
  /** PEM: roots that are trusted beside the usual ones. */
  readonly caCerts?: readonly string[] | undefined;
  /** PEM: a certificate and its key, for servers that ask who the client is. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ClientSslOptions {
  /** A name, or an IP address: what the certificate must be for. */
  readonly hostname: string;
  readonly alpn: readonly string[];
  /** The certificate may be anybody's, as long as its chain holds. */
  readonly anyName?: boolean | undefined;
  /** A session to go on with. */
  readonly session?: Pointer | undefined;
}

/** Contexts take a root store of some 150 certificates each: those that were used last are kept. */
const MAX_CONTEXTS = 32;

const contexts = new Map<string, ClientContext>();

/** The same one for the same choice. Throws `InvalidData` with one sentence for what can't be used. */
export function clientContext(identity: ClientIdentity, who: string): ClientContext {
  const { caCerts = [], cert, key } = identity;
  const name = JSON.stringify([caCerts, cert, key, process.env["SSL_CERT_FILE"]]);
  let context = contexts.get(name);
  if (context === undefined) context = new ClientContext(identity, who);
  else contexts.delete(name);
  contexts.set(name, context);
  const [oldest] = contexts.keys();
  if (contexts.size > MAX_CONTEXTS) contexts.delete(oldest);
  return context;
}

export class ClientContext {
  /** Frees the SSL_CTX when it is collected; each SSL has a reference of its own. */
  readonly #owner: SecureContext;
  readonly #pointer: Pointer;

  constructor(identity: ClientIdentity, who: string) {
    this.#owner = secureContext(identity, who);
    this.#pointer = preparedContext(this.#owner);
  }

  /** For one connection; the caller's. 0 for lack of memory. */
  newSsl({ hostname, alpn, anyName, session }: ClientSslOptions): Pointer {
    const client = openSslClient();
    const ssl = openSsl().newSsl(this.#pointer);
    if (ssl === 0) return 0;
    const address = parseIp(hostname);
    const name = address === undefined ? asciiName(hostname) : hostname.replace(/^\[|\]$|%.*$/g, "");
    // RFC 6066, 3: no literal addresses.
    if (address === undefined) client.askFor(ssl, name);
    if (!unchecked()) {
      client.verifyPeer(ssl);
      if (!anyName) {
        const expected = address === undefined ? client.expectName(ssl, name) : client.expectAddress(ssl, name);
        if (!expected) {
          openSsl().takeError();
          openSsl().freeSsl(ssl);
          throw new TypeError(`no certificate can be for ${JSON.stringify(hostname)}: it is no host name`);
        }
      }
    }
    if (alpn.length > 0) client.offer(ssl, alpn);
    if (session !== undefined && session !== 0) client.resume(ssl, session);
    return ssl;
  }
}

/** The A-labels of a name, without the dot that may end it (RFC 9525, 6.3). */
function asciiName(hostname: string): string {
  const ascii = process.getBuiltinModule("node:url").domainToASCII(hostname) || hostname;
  const name = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  // It is meant for an IPv4 address, and is none (URL, "ends in a number").
  if (/(?:^|\.)\d+$/.test(name)) throw new TypeError(`Invalid hostname: ${JSON.stringify(hostname)} is no IP address`);
  return name;
}

let warned = false;

/** Node's own way to say so, which programs and tests rely on. Not in silence. */
function unchecked(): boolean {
  if (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] !== "0") return false;
  if (!warned) {
    warned = true;
    process.emitWarning(
      "NODE_TLS_REJECT_UNAUTHORIZED=0: no server's certificate is checked, anybody can be in between",
    );
  }
  return true;
}

/** Which protocols ALPN may name (RFC 7301, 3.1), or one line saying what is wrong. */
export function checkAlpn(names: unknown, who: string): readonly string[] {
  if (names === undefined) return [];
  if (!Array.isArray(names)) throw new TypeError(`alpnProtocols of ${who} must be a list of strings`);
  for (const name of names) {
    if (typeof name === "string" && name.length > 0 && name.length < 256) continue;
    throw new TypeError(`alpnProtocols of ${who} has ${JSON.stringify(name)}: a name of 1 to 255 bytes is needed`);
  }
  return names as string[];
}

function secureContext({ caCerts = [], cert, key }: ClientIdentity, who: string): SecureContext {
  if (!Array.isArray(caCerts) || !caCerts.every((text) => typeof text === "string")) {
    throw new TypeError(`caCerts of ${who} must be a list of strings in PEM format`);
  }
  if (cert !== undefined && key === undefined) {
    throw new TypeError(`If \`cert\` is specified, \`key\` must be specified as well for \`${who}\``);
  }
  if (key !== undefined && cert === undefined) {
    throw new TypeError(`If \`key\` is specified, \`cert\` must be specified as well for \`${who}\``);
  }
  // Node takes an empty one for none.
  if (cert === "" || key === "") throw new InvalidData(`${who}: the ${cert === "" ? "certificate" : "key"} is empty`);
  const tls = process.getBuiltinModule("node:tls");
  const others = fileOfRoots();
  for (const text of caCerts) {
    if (!text.includes("-----BEGIN")) {
      throw new InvalidData(`caCerts of ${who}: there is nothing in PEM format (-----BEGIN …)`);
    }
  }
  // Without `ca` it is one store for all contexts, which Node reads once.
  const usual = (): readonly (string | Buffer)[] => others ?? tls.getCACertificates("default");
  const ca = caCerts.length > 0 ? [...usual(), ...caCerts] : others;
  const settings: SecureContextOptions = {
    ciphers: CIPHERS,
    minVersion: "TLSv1.2",
    ...(ca !== undefined && { ca: ca as (string | Buffer)[] }),
    ...(cert !== undefined && { cert, key }),
  };
  try {
    return tls.createSecureContext(settings);
  } catch (error) {
    throw new InvalidData(`${who}: ${whatIsWrong(error as NodeJS.ErrnoException, settings)}`, { cause: error });
  }
}

function whatIsWrong(error: NodeJS.ErrnoException, { ca, ...settings }: SecureContextOptions): string {
  try {
    process.getBuiltinModule("node:tls").createSecureContext({ ...(ca !== undefined && { ca }) });
  } catch (ofRoots) {
    return `a certificate of caCerts can't be read: ${(ofRoots as Error).message}`;
  }
  return settings.cert === undefined ? error.message : explained(error, settings as TlsIdentity);
}

let roots: { readonly file: string; readonly pem: readonly Buffer[] } | undefined;

/** What SSL_CERT_FILE names, with NODE_EXTRA_CA_CERTS; undefined where there is no such file. */
function fileOfRoots(): readonly (string | Buffer)[] | undefined {
  const file = process.env["SSL_CERT_FILE"];
  if (file === undefined || file === "") return undefined;
  if (roots?.file !== file) {
    try {
      roots = { file, pem: [readFileSync(file)] };
    } catch (error) {
      throw new InvalidData(`SSL_CERT_FILE names ${file}, which can't be read: ${(error as Error).message}`);
    }
  }
  return [...roots.pem, ...process.getBuiltinModule("node:tls").getCACertificates("extra")];
}
