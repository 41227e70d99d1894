/**
 * What a certificate, its key and a policy become: an SSL_CTX, which every connection's SSL is made of. Node's
 * `tls.createSecureContext` reads all the formats (PEM, PKCS#12, encrypted keys) and names what is wrong with them.
 */
import type { SecureContext, SecureContextOptions } from "node:tls";
import { openSsl, type Pointer } from "../../ffi/openssl.ts";

/** Loaded when there is a certificate: most servers have none, and it takes milliseconds. */
const createSecureContext = (options: SecureContextOptions): SecureContext =>
  process.getBuiltinModule("node:tls").createSecureContext(options);

export interface TlsIdentity {
  /** PEM: the certificate, and behind it those between it and the root. */
  readonly cert: string | Uint8Array;
  /** PEM: the private key; RSA, ECDSA or Ed25519. */
  readonly key: string | Uint8Array;
  /** Of an encrypted key. */
  readonly passphrase?: string | undefined;
}

export interface ServerContextOptions extends TlsIdentity {
  /** Protocols by ALPN, the best first; none: it is not negotiated. */
  readonly alpn?: readonly string[];
}

/**
 * Mozilla's "intermediate" list (version 5.7): TLS 1.2 with forward secrecy and authenticated encryption only. The client
 * chooses, who knows whether its processor has AES. TLS 1.3's are all sound.
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

// openssl/ssl.h
const CTRL_MODE = 33;
const MODE_ACCEPT_MOVING_WRITE_BUFFER = 1 << 1;
const MODE_RELEASE_BUFFERS = 1 << 4;
const OP_NO_RENEGOTIATION = 1 << 30;

export class TlsContext {
  /** What connections are made of from now on; those that there are keep theirs. */
  pointer: Pointer;
  readonly #alpn: readonly string[];
  /** Frees the SSL_CTX when it is collected. */
  #owner: SecureContext;

  /** @internal Use `serverContext`. */
  constructor(identity: TlsIdentity, alpn: readonly string[]) {
    this.#alpn = alpn;
    this.#owner = secureContext(identity);
    this.pointer = this.#prepare(this.#owner);
  }

  /** Another certificate from here on. Throws what `serverContext` throws, and then everything stays as it was. */
  renew(identity: TlsIdentity): void {
    const owner = secureContext(identity);
    this.pointer = this.#prepare(owner);
    this.#owner = owner;
  }

  #prepare(owner: SecureContext): Pointer {
    const pointer = preparedContext(owner);
    const ssl = openSsl();
    if (!ssl.keyFits(pointer)) throw new TlsConfigError(`TLS: ${NOT_ITS_KEY}`);
    if (this.#alpn.length > 0) ssl.offerAlpn(pointer, this.#alpn);
    return pointer;
  }

  /** It is held by this: what points to it must not outlive it. @internal */
  get owner(): object {
    return this.#owner;
  }
}

/** A certificate or a key that can't be used: the person's to mend. */
export class TlsConfigError extends TypeError {
  override readonly name = "TlsConfigError";
}

/** Throws one sentence that names what is wrong, with the certificate or with the key. */
export function serverContext({ alpn = [], ...identity }: ServerContextOptions): TlsContext {
  openSsl();
  return new TlsContext(identity, alpn);
}

const NOT_ITS_KEY = "the key does not belong to the certificate";

function secureContext({ cert, key, passphrase }: TlsIdentity): SecureContext {
  const settings: SecureContextOptions = {
    cert: pem(cert),
    key: pem(key),
    ciphers: CIPHERS,
    minVersion: "TLSv1.2",
    sessionIdContext: "slipway",
    ticketKeys: ticketKeys(),
    ...(passphrase !== undefined && { passphrase }),
  };
  try {
    return createSecureContext(settings);
  } catch (error) {
    throw new TlsConfigError(`TLS: ${explained(error as NodeJS.ErrnoException, settings)}`, { cause: error });
  }
}

/** Where threads find what the tickets of them all are encrypted with. */
const TICKET_KEYS = "slipway ticket keys";
/** Node's three keys of 16 bytes each: the key's name, that of HMAC, that of AES. */
const TICKET_KEY_BYTES = 48;
let ownTicketKeys: Uint8Array | undefined;

/** A session may be resumed on any thread: to be called before there are any. */
export function shareTicketKeys(): void {
  process.getBuiltinModule("node:worker_threads").setEnvironmentData(TICKET_KEYS, ticketKeys());
}

/** The same for every context of the process, also when a certificate is renewed. */
function ticketKeys(): Buffer {
  ownTicketKeys ??=
    (process.getBuiltinModule("node:worker_threads").getEnvironmentData(TICKET_KEYS) as Uint8Array | undefined) ??
    process.getBuiltinModule("node:crypto").randomBytes(TICKET_KEY_BYTES);
  return Buffer.from(ownTicketKeys);
}

const pem = (value: string | Uint8Array): string | Buffer => (typeof value === "string" ? value : Buffer.from(value));

/** OpenSSL's errors name the function that failed; which of the two files it was is found by trying each alone. */
export function explained(error: NodeJS.ErrnoException, { cert, key, passphrase }: SecureContextOptions): string {
  if (fails({ cert })) return `the certificate can't be read: ${words(fails({ cert }))}`;
  const alone = fails({ key, ...(passphrase !== undefined && { passphrase }) });
  if (alone !== undefined) {
    if (/interrupted or cancelled|bad password|bad decrypt|processing error/i.test(alone.message)) {
      return passphrase === undefined ? "the key is encrypted: give its passphrase" : "the key's passphrase is wrong";
    }
    return `the key can't be read: ${words(alone)}`;
  }
  if (/key values mismatch|key type mismatch/i.test(error.message)) return NOT_ITS_KEY;
  return words(error);
}

function fails(options: SecureContextOptions): Error | undefined {
  try {
    createSecureContext(options);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function words(error: Error | undefined): string {
  const text = (error?.message ?? "").replace(/^error:[0-9A-F]+:[^:]*:[^:]*:/, "").trim();
  return /no start line|unsupported/i.test(text) ? "there is nothing in PEM format (-----BEGIN …)" : text;
}

/** What Node has made, ready for connections that are not Node's: of a server or of a client. */
export function preparedContext(owner: SecureContext): Pointer {
  const pointer = pointerOf(owner);
  const ssl = openSsl();
  ssl.forgetSessionCallbacks(pointer);
  ssl.contextControl(pointer, CTRL_MODE, MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS, 0);
  ssl.contextOptions(pointer, OP_NO_RENEGOTIATION);
  return pointer;
}

/** The address of the SSL_CTX. Node shows it to C++ only, as a value whose address is all that can be printed of it. */
function pointerOf(secure: SecureContext): Pointer {
  const { context } = secure as SecureContext & { context: { readonly _external: unknown } };
  const address = /External: ([0-9a-f]+)/.exec(process.getBuiltinModule("node:util").inspect(context._external))?.[1];
  if (address === undefined) throw new Error("TLS is not supported on this host: it does not show its SSL_CTX");
  return Number.parseInt(address, 16);
}
