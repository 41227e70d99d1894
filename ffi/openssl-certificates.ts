/** Certificates that OpenSSL has, as bytes (DER): bound when somebody asks for one. */
import { koffi } from "./koffi.ts";
import type { Pointer } from "./openssl.ts";

export interface OpenSslCertificates {
  /** That of a context; of several the one that was set last. */
  ofContext(context: Pointer): Buffer | undefined;
  /** The peer's; also of a session that was resumed. */
  ofPeer(ssl: Pointer): Buffer | undefined;
  /** Clients are asked for one; `required`: without one there is no handshake. */
  askClients(context: Pointer, required: boolean): void;
  /** Why the peer's was refused: "certificate has expired"; "" where it was not. */
  refusal(ssl: Pointer): string;
}

// openssl/ssl.h
const VERIFY_PEER = 1;
const VERIFY_FAIL_IF_NO_PEER_CERT = 2;

let bound: OpenSslCertificates | undefined;

export function opensslCertificates(): OpenSslCertificates {
  return (bound ??= bind());
}

function bind(): OpenSslCertificates {
  const c = koffi.load(null);
  const p = "uintptr_t";
  const own = c.func("SSL_CTX_get0_certificate", p, [p]);
  const peer = c.func("SSL_get1_peer_certificate", p, [p]);
  const free = c.func("X509_free", "void", [p]);
  const encode = c.func("i2d_X509", "int", [p, "void *"]);
  const verify = c.func("SSL_CTX_set_verify", "void", [p, "int", p]);
  const verified = c.func("SSL_get_verify_result", "long", [p]);
  const words = c.func("X509_verify_cert_error_string", "str", ["long"]);
  const bytesOf = (certificate: Pointer): Buffer | undefined => {
    if (certificate === 0) return undefined;
    const length: number = encode(certificate, null);
    if (length <= 0) return undefined;
    const bytes = Buffer.from(new ArrayBuffer(length));
    // It writes where this points to, and moves it behind what was written.
    return encode(certificate, new BigUint64Array([BigInt(koffi.address(bytes))])) === length ? bytes : undefined;
  };
  return {
    ofContext: (context) => bytesOf(own(context)),
    ofPeer(ssl) {
      const certificate: Pointer = peer(ssl);
      const bytes = bytesOf(certificate);
      if (certificate !== 0) free(certificate);
      return bytes;
    },
    askClients(context, required) {
      verify(context, required ? VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT : VERIFY_PEER, 0);
    },
    refusal(ssl) {
      const code: number | bigint = verified(ssl);
      return Number(code) === 0 ? "" : (words(code) ?? "");
    },
  };
}
