/**
 * Certificates and keys, made ready for connections, and what is wrong with those that can't be used. Node's
 * `tls.createSecureContext` reads all the formats, and what it makes of them owns an SSL_CTX.
 */
import type { SecureContext, SecureContextOptions } from "node:tls";
import { openSsl, type Pointer } from "../../ffi/openssl.ts";
import { NOT_ITS_KEY, type PemIdentity, type PfxIdentity, TlsConfigError, type TlsIdentity } from "./identity.ts";

/** Loaded when there is a certificate: most servers have none, and it takes milliseconds. */
const createSecureContext = (options: SecureContextOptions): SecureContext =>
  process.getBuiltinModule("node:tls").createSecureContext(options);

// openssl/ssl.h
const CTRL_MODE = 33;
const MODE_ACCEPT_MOVING_WRITE_BUFFER = 1 << 1;
const MODE_RELEASE_BUFFERS = 1 << 4;
const OP_NO_RENEGOTIATION = 1 << 30;

/**
 * Of identities whose keys are of different types, among which the client chooses. Throws one sentence that names what is
 * wrong, with the certificate or with the key.
 */
export function secureContext(identities: readonly TlsIdentity[], more: SecureContextOptions): SecureContext {
  const pairs = identities.filter((one): one is PemIdentity => one.pfx === undefined);
  const stores = identities.filter((one): one is PfxIdentity => one.pfx !== undefined);
  const settings: SecureContextOptions = {
    ...(pairs.length > 0 && {
      cert: pairs.map(({ cert }) => pem(cert, "cert")),
      key: pairs.map(({ key, passphrase }) => ({ pem: pem(key, "key"), ...withPassphrase(passphrase) })),
    }),
    ...(stores.length > 0 && {
      pfx: stores.map(({ pfx, passphrase }) => ({ buf: pem(pfx, "pfx"), ...withPassphrase(passphrase) })),
    }),
    ...more,
  };
  try {
    return createSecureContext(settings);
  } catch (error) {
    throw new TlsConfigError(`TLS: ${explained(error as NodeJS.ErrnoException, identities[0])}`, 0, { cause: error });
  }
}

const withPassphrase = (passphrase: string | undefined): { passphrase?: string } =>
  passphrase === undefined ? {} : { passphrase };

export function pem(value: string | Uint8Array, name = "a certificate"): string | Buffer {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new TypeError(
    `TLS: ${name} must be ${name === "pfx" ? "" : "the text of a PEM file, or its "}bytes, not ${typeof value}`,
  );
}

/** Throws the sentence for what holds no certificates. */
export function checkAuthorities(ca: string | Buffer): void {
  try {
    // The context takes what is no certificate in silence.
    new (process.getBuiltinModule("node:crypto").X509Certificate)(ca);
    createSecureContext({ ca });
  } catch (error) {
    throw new TlsConfigError(`TLS: the authorities of clients can't be read: ${words(error as Error)}`, -1, { cause: error }); // biome-ignore format: one line
  }
}

/** OpenSSL's errors name the function that failed; which of the two files it was is found by trying each alone. */
export function explained(error: NodeJS.ErrnoException, identity: TlsIdentity): string {
  const { passphrase } = identity;
  if (identity.pfx !== undefined) return explainedStore(error, passphrase);
  const cert = pem(identity.cert);
  const unread = fails({ cert });
  if (unread) return `the certificate can't be read: ${words(unread, cert, "certificate")}`;
  const alone = fails({ key: pem(identity.key), ...withPassphrase(passphrase) });
  if (alone !== undefined) {
    if (/interrupted or cancelled|bad password|bad decrypt|processing error/i.test(alone.message)) {
      return passphrase === undefined ? "the key is encrypted: give its passphrase" : "the key's passphrase is wrong";
    }
    return `the key can't be read: ${words(alone, pem(identity.key), "private key")}`;
  }
  if (/key values mismatch|key type mismatch/i.test(error.message)) return NOT_ITS_KEY;
  return words(error);
}

function explainedStore({ message }: Error, passphrase: string | undefined): string {
  if (/mac verify failure/i.test(message)) {
    return passphrase === undefined ? "the PKCS#12 file is encrypted: give its passphrase" : "the PKCS#12 file's passphrase is wrong"; // biome-ignore format: one line
  }
  if (/unsupported PKCS12/i.test(message)) {
    return "the PKCS#12 file is encrypted by an old cipher (RC2, 3DES): make it anew, with openssl pkcs12 -export";
  }
  if (/load private key/i.test(message)) return "there is no private key in the PKCS#12 file";
  if (/wrong tag|too long|not enough data|asn1/i.test(message)) return "the file is no PKCS#12 (.pfx, .p12)";
  return `the PKCS#12 file can't be read: ${message}`;
}

function fails(options: SecureContextOptions): Error | undefined {
  try {
    createSecureContext(options);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** OpenSSL's sentence, or ours where it can't say what people do: the two files are swapped, or one is cut short. */
function words(error: Error | undefined, file: string | Buffer = "", wanted = ""): string {
  const text = (error?.message ?? "").replace(/^error:[0-9A-F]+:[^:]*:[^:]*:/, "").trim();
  if (!/no start line|bad end line|bad base64|unsupported|wrong tag|too long|not enough data|asn1/i.test(text))
    return text;
  const labels = Array.from(
    file.toString("latin1").matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----/g),
    ([, label]) => label,
  );
  if (labels.length === 0) return "there is nothing in PEM format (-----BEGIN …)";
  const held = labels.some((label = "") => label.endsWith(wanted.toUpperCase()));
  return held ? "it is cut short or damaged" : `it holds no ${wanted}, but: ${labels[0]}`;
}

/** The address of the SSL_CTX. Node shows it to C++ only, as a value whose address is all that can be printed of it. */
export function pointerOf(secure: SecureContext): Pointer {
  const { context } = secure as SecureContext & { context: { readonly _external: unknown } };
  const address = /External: ([0-9a-f]+)/.exec(process.getBuiltinModule("node:util").inspect(context._external))?.[1];
  if (address === undefined) throw new Error("TLS is not supported on this host: it does not show its SSL_CTX");
  return Number.parseInt(address, 16);
}

/** What Node has made, ready for connections that are not Node's: of a server or of a client. */
export function preparedContext(owner: SecureContext): Pointer {
  const pointer = pointerOf(owner);
  const openssl = openSsl();
  openssl.forgetSessionCallbacks(pointer);
  openssl.contextControl(pointer, CTRL_MODE, MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS, 0);
  openssl.contextOptions(pointer, OP_NO_RENEGOTIATION);
  return pointer;
}
