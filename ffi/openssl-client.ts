/**
 * What the client side of TLS needs of OpenSSL beside `openssl.ts`: names to ask for and to expect, the verdict on the
 * server's certificate, sessions to go on with. Bound when the first client connects.
 */
import { koffi } from "./koffi.ts";
import type { Pointer } from "./openssl.ts";

/** Why a chain of certificates was refused. */
export interface Refusal {
  /** X509_V_ERR_…, as openssl/x509_vfy.h numbers them. */
  readonly code: number;
  /** OpenSSL's words for it. */
  readonly words: string;
  /** The certificate that it is about, in DER. */
  readonly certificate: Buffer | undefined;
}

export interface OpenSslClient {
  connect(ssl: Pointer): void;
  /** Begins or goes on with the handshake; what it says lies in the BIO. */
  handshake(ssl: Pointer): void;
  /** A server whose chain does not hold is refused, with an alert. */
  verifyPeer(ssl: Pointer): void;
  /** What the certificate must be for (RFC 9525): a name, or an IP address. */
  expectName(ssl: Pointer, name: string): boolean;
  expectAddress(ssl: Pointer, address: string): boolean;
  /** SNI (RFC 6066, 3). */
  askFor(ssl: Pointer, name: string): void;
  /** ALPN (RFC 7301). */
  offer(ssl: Pointer, names: readonly string[]): boolean;
  /** Why the last handshake that failed in this thread was refused by us, if it was; and forgets it. */
  takeRefusal(): Refusal | undefined;
  /** The session, with a reference that is the caller's; 0 where it can't be resumed. */
  session(ssl: Pointer): Pointer;
  resume(ssl: Pointer, session: Pointer): void;
  freeSession(session: Pointer): void;
}

// openssl/ssl.h, openssl/tls1.h, openssl/x509v3.h
const VERIFY_PEER = 1;
const CTRL_SET_TLSEXT_HOSTNAME = 55;
const NAMETYPE_HOST_NAME = 0;
/** RFC 9525, 6.3: "*" is a whole label; 6.4.4 is gone: a Common Name is no host name. */
const NO_PARTIAL_WILDCARDS = 4;
const NEVER_CHECK_SUBJECT = 0x20;

let bound: OpenSslClient | undefined;

/** Bound once a thread, where `openSsl()` is. */
export function openSslClient(): OpenSslClient {
  return (bound ??= bind());
}

function bind(): OpenSslClient {
  const c = koffi.load(null);
  const p = "uintptr_t";
  const f = (name: string, result: string, args: readonly string[]) => c.func(name, result, [...args]);
  const doHandshake = f("SSL_do_handshake", "int", [p]);
  const callbackType = koffi.pointer(koffi.proto(`int (int ok, ${p} store)`));
  const setVerify = c.func("SSL_set_verify", "void", [p, "int", callbackType]);
  const errorOf = f("X509_STORE_CTX_get_error", "int", [p]);
  const currentOf = f("X509_STORE_CTX_get_current_cert", p, [p]);
  const errorWords = f("X509_verify_cert_error_string", "str", ["long"]);
  const toDer = f("i2d_X509", "int", [p, "void *"]);
  const setFlags = f("SSL_set_hostflags", "void", [p, "uint"]);
  const setHost = f("SSL_set1_host", "int", [p, "str"]);
  const paramOf = f("SSL_get0_param", p, [p]);
  const setAddress = f("X509_VERIFY_PARAM_set1_ip_asc", "int", [p, "str"]);
  const control = f("SSL_ctrl", "long", [p, "int", "long", "str"]);
  const setAlpn = f("SSL_set_alpn_protos", "int", [p, "void *", "uint"]);
  const sessionOf = f("SSL_get1_session", p, [p]);
  const resumable = f("SSL_SESSION_is_resumable", "int", [p]);
  const setSession = f("SSL_set_session", "int", [p, p]);
  const freeSession = f("SSL_SESSION_free", "void", [p]);
  let refusal: Refusal | undefined;
  const der = (certificate: Pointer): Buffer | undefined => {
    const length = certificate === 0 ? 0 : toDer(certificate, null);
    if (length <= 0) return undefined;
    const bytes = Buffer.alloc(length);
    // It moves the pointer that it is given.
    pointer[0] = BigInt(koffi.address(bytes));
    return toDer(certificate, pointer) > 0 ? bytes : undefined;
  };
  // Called for each certificate of a chain, within SSL_read or SSL_do_handshake, and so in this thread.
  const callback = koffi.register((ok: number, store: Pointer): number => {
    if (ok === 0) {
      const code = errorOf(store);
      refusal = { code, words: errorWords(code), certificate: der(currentOf(store)) };
    }
    return ok;
  }, callbackType);
  return {
    connect: f("SSL_set_connect_state", "void", [p]),
    handshake: (ssl) => void doHandshake(ssl),
    verifyPeer: (ssl) => void setVerify(ssl, VERIFY_PEER, callback),
    expectName(ssl, name) {
      setFlags(ssl, NO_PARTIAL_WILDCARDS | NEVER_CHECK_SUBJECT);
      return setHost(ssl, name) === 1;
    },
    expectAddress: (ssl, address) => setAddress(paramOf(ssl), address) === 1,
    askFor: (ssl, name) => void control(ssl, CTRL_SET_TLSEXT_HOSTNAME, NAMETYPE_HOST_NAME, name),
    offer(ssl, names) {
      const list = Buffer.concat(names.map((name) => Buffer.from([name.length, ...Buffer.from(name, "latin1")])));
      // Unlike all others it answers 0 when it went well.
      return setAlpn(ssl, list, list.length) === 0;
    },
    takeRefusal() {
      const taken = refusal;
      refusal = undefined;
      return taken;
    },
    session(ssl) {
      const session = sessionOf(ssl);
      if (session === 0 || resumable(session) === 1) return session;
      freeSession(session);
      return 0;
    },
    resume: (ssl, session) => void setSession(ssl, session),
    freeSession,
  };
}

const pointer = new BigUint64Array(1);
