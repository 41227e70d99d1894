/**
 * What certificates, their keys and a policy become: SSL_CTXs, of which every connection's SSL is made. With one
 * certificate there is one; with several one for each group of them that a name may be answered with (`names.ts`).
 */
import type { SecureContext, SecureContextOptions } from "node:tls";
import { openSsl, type Pointer } from "../../ffi/openssl.ts";
import { askByName, ticketsBy } from "../../ffi/openssl-callbacks.ts";
import { opensslCertificates } from "../../ffi/openssl-certificates.ts";
import { readHsts } from "./hsts.ts";
import { NOT_ITS_KEY, TlsConfigError, type TlsIdentity } from "./identity.ts";
import { certificateOf, certified, namesOf, ServerNames } from "./names.ts";
import { checkAuthorities, pem, pointerOf, preparedContext, secureContext } from "./secure-context.ts";
import { keepStaple, showStaples } from "./staples.ts";
import { ticketKeys } from "./ticket-keys.ts";

export { TlsConfigError, type TlsIdentity } from "./identity.ts";

export interface TlsOptions {
  /** The first is shown to who asks for no name, or for nobody's. */
  readonly certificates: readonly TlsIdentity[];
  /** Mozilla's "intermediate" is TLS 1.2 and 1.3, "modern" TLS 1.3 alone. @default {"intermediate"} */
  readonly policy?: "intermediate" | "modern" | undefined;
  /**
   * Whether clients are asked for a certificate: "request" lets in who has none, and "require" does not; one that is not
   * valid, or that nobody in `clientCa` has signed, is refused by both. @default {"none"}
   */
  readonly clientAuth?: ClientAuth | undefined;
  /** PEM: who signs the certificates of clients. */
  readonly clientCa?: string | Uint8Array | undefined;
  /** Strict-Transport-Security: "180d", "1y includeSubDomains". */
  readonly hsts?: string | undefined;
}

export type ClientAuth = "none" | "request" | "require";

export interface ServerContextOptions extends TlsOptions {
  /** Protocols by ALPN, the best first; none: it is not negotiated. */
  readonly alpn?: readonly string[];
}

export interface CertificateFacts {
  /** The first that it is for. */
  readonly name: string;
  /** "ec", "rsa", "ed25519". */
  readonly keyType: string;
  /** Milliseconds of the wall clock. */
  readonly validFrom: number;
  readonly validTo: number;
}

/**
 * Mozilla's "intermediate" list (version 5.7): TLS 1.2 with forward secrecy and authenticated encryption only. All are
 * sound, and AES with 128 bits, which most browsers ask for first, is the cheapest with its SHA-256 (a handshake of those
 * that ask for 256 bits first, as curl and Node, took 3.5 % less): so it is the server's order. ChaCha20 comes first with
 * a client that has it first, since its processor has no AES.
 */
export const CIPHERS: string = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/**
 * And its groups, with the hybrid one that what is recorded today stays secret with; a slash is between those of which a
 * client's next best is not worth another round trip (man 3 SSL_CTX_set1_groups_list). OpenSSL's own list goes on with
 * P-521 and ffdhe3072, of which a handshake takes 13 and 9 times the CPU of P-256, for whoever likes to choose them.
 */
const GROUPS = "X25519MLKEM768/X25519:P-256/P-384";

// openssl/ssl.h
const OP_PRIORITIZE_CHACHA = 1 << 21;
const OP_CIPHER_SERVER_PREFERENCE = 1 << 22;

/** What new connections are made of at one time. */
interface Made {
  readonly pointer: Pointer;
  /** They free their SSL_CTXs when they are collected. */
  readonly owners: readonly SecureContext[];
  /** The first so many are of one certificate each. */
  readonly own: number;
  /** Undefined with one certificate: then nobody asks. */
  readonly choose: ((name: string) => Pointer) | undefined;
}

export class TlsContext {
  readonly #alpn: readonly string[];
  #made: Made;
  #asksClients = false;
  /** The value of Strict-Transport-Security; undefined: it is not said. */
  readonly hsts: string | undefined;

  /** @internal Use `serverContext`. */
  constructor({ alpn = [], ...options }: ServerContextOptions) {
    this.#alpn = alpn;
    this.hsts = options.hsts === undefined ? undefined : readHsts(options.hsts);
    this.#made = this.#make(options);
    this.#asksClients = options.clientAuth !== undefined && options.clientAuth !== "none";
  }

  /** Clients may have shown a certificate. */
  get asksClients(): boolean {
    return this.#asksClients;
  }

  /** What connections are made of from now on; those that there are keep theirs. */
  get pointer(): Pointer {
    return this.#made.pointer;
  }

  /** Other certificates from here on. Throws what `serverContext` throws, and then everything stays as it was. */
  renew(options: TlsOptions): void {
    this.#made = this.#make(options);
  }

  /** The SSL_CTX for a name that a client asks for. @internal */
  choose(name: string): Pointer {
    return this.#made.choose?.(name) ?? this.#made.pointer;
  }

  /** What whoever watches over them wants to know of its certificates. */
  certificates(): readonly CertificateFacts[] {
    const { owners, own } = this.#made;
    return owners.slice(0, own).map((owner) => {
      const certificate = certificateOf(pointerOf(owner));
      return {
        name: namesOf(certificate)[0] ?? "",
        keyType: certificate.publicKey.asymmetricKeyType ?? "",
        validFrom: certificate.validFromDate.getTime(),
        validTo: certificate.validToDate.getTime(),
      };
    });
  }

  /** It is held by this: what points to it must not outlive it. @internal */
  get owner(): object {
    return this.#made.owners;
  }

  #make(options: TlsOptions): Made {
    const { certificates, clientAuth = "none" } = options;
    const settings = settingsOf(options);
    if (certificates.length === 0) throw new TlsConfigError("TLS: there is no certificate");
    const owners = certificates.map((identity, index) => {
      try {
        return this.#prepared([identity], settings, clientAuth);
      } catch (error) {
        if (certificates.length === 1 || !(error instanceof TlsConfigError)) throw error;
        throw new TlsConfigError(error.message.replace(/^TLS/, `TLS, certificate ${index + 1}`), index, {
          cause: error,
        });
      }
    });
    const staples = certificates.some(({ ocsp }) => ocsp !== undefined);
    if (staples) this.#keepStaples(certificates, owners);
    if (owners.length === 1) return { pointer: pointerOf(owners[0]), owners, own: 1, choose: undefined };
    const names = new ServerNames(owners.map((owner) => certified(pointerOf(owner))));
    const pointers = new Map(owners.map((owner, index) => [String(index), pointerOf(owner)]));
    for (const group of names.groups()) {
      if (pointers.has(String(group))) continue;
      const owner = this.#prepared(
        group.map((index) => certificates[index]),
        settings,
        clientAuth,
      );
      owners.push(owner);
      if (staples) showStaples(pointerOf(owner));
      pointers.set(String(group), pointerOf(owner));
    }
    const of = (group: readonly number[]): Pointer => pointers.get(String(group)) ?? 0;
    const pointer = of(names.fallback);
    askByName(pointer, this);
    return { pointer, owners, own: certificates.length, choose: (name) => of(names.find(name) ?? names.fallback) };
  }

  #keepStaples(certificates: readonly TlsIdentity[], owners: readonly SecureContext[]): void {
    for (const [index, { ocsp }] of certificates.entries()) {
      try {
        keepStaple(certificateOf(pointerOf(owners[index])), ocsp);
      } catch (error) {
        throw error instanceof TlsConfigError ? new TlsConfigError(error.message, index) : error;
      }
      showStaples(pointerOf(owners[index]));
    }
  }

  #prepared(identities: readonly TlsIdentity[], settings: SecureContextOptions, clientAuth: ClientAuth): SecureContext {
    const owner = secureContext(identities, settings);
    const openssl = openSsl();
    const pointer = preparedContext(owner);
    if (!openssl.keyFits(pointer)) throw new TlsConfigError(`TLS: ${NOT_ITS_KEY}`);
    openssl.contextOptions(pointer, OP_CIPHER_SERVER_PREFERENCE | OP_PRIORITIZE_CHACHA);
    if (clientAuth !== "none") opensslCertificates().askClients(pointer, clientAuth === "require");
    ticketsBy(pointer, ticketKeys());
    if (this.#alpn.length > 0) openssl.offerAlpn(pointer, this.#alpn);
    return owner;
  }
}

/** Throws one sentence that names what is wrong, with the certificate or with the key. */
export function serverContext(options: ServerContextOptions): TlsContext {
  openSsl();
  return new TlsContext(options);
}

function settingsOf({ policy = "intermediate", clientAuth = "none", clientCa }: TlsOptions): SecureContextOptions {
  if (clientAuth !== "none" && clientCa === undefined) {
    throw new TlsConfigError("TLS: to ask clients for certificates, say who signs them (clientCa)");
  }
  const authorities = clientAuth === "none" || clientCa === undefined ? [] : [pem(clientCa)];
  if (authorities.length > 0) checkAuthorities(authorities[0]);
  return {
    ciphers: CIPHERS,
    ecdhCurve: GROUPS,
    minVersion: policy === "modern" ? "TLSv1.3" : "TLSv1.2",
    sessionIdContext: sessionContext(clientAuth, authorities),
    // Without it Node reads all the world's roots, in 3 ms, which a server has nobody to check by.
    ca: authorities,
  };
}

/**
 * A session goes on only where it might have begun: who was let in without a certificate, or by another authority, is not
 * let in by a ticket, whose keys are the process's. At most 32 bytes.
 */
function sessionContext(clientAuth: ClientAuth, authorities: readonly (string | Buffer)[]): string {
  if (authorities.length === 0) return "slipway";
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256").update(clientAuth);
  for (const one of authorities) hash.update(one);
  return hash.digest("base64url").slice(0, 32);
}
