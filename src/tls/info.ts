/** What was agreed on in a connection's handshake, as handlers see it. */
import { type OpenSsl, openSsl, type Pointer } from "../../ffi/openssl.ts";
import { opensslCertificates } from "../../ffi/openssl-certificates.ts";

export interface TlsInfo {
  /** "TLSv1.3" or "TLSv1.2". */
  readonly version: string;
  /** By its name in the registry: "TLS_AES_128_GCM_SHA256" (RFC 8446, B.4; RFC 5289). */
  readonly cipher: string;
  /** What ALPN has chosen (RFC 7301): "h2" or "http/1.1"; undefined where the client offered nothing. */
  readonly protocol: string | undefined;
  /** The name that the client asked for (SNI, RFC 6066, 3). Whatever it is: check it against what you serve. */
  readonly serverName: string | undefined;
  /** The session is an earlier one's, gone on with: there was no certificate in this handshake. */
  readonly resumed: boolean;
  /** How long the handshake took, from the connection's beginning, in milliseconds. */
  readonly handshakeMs: number;
  /** The client's, where it was asked for one and has shown it: verified by `clientCa`. As node:crypto's X509Certificate. */
  readonly peerCertificate: PeerCertificate | undefined;
}

export interface PeerCertificate {
  /** A line for each attribute: "CN=…". */
  readonly subject: string;
  readonly issuer: string;
  /** "DNS:a.test, URI:spiffe://…", undefined without. */
  readonly subjectAltName: string | undefined;
  /** SHA-256, "AB:CD:…". */
  readonly fingerprint256: string;
  readonly serialNumber: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** DER. */
  readonly raw: Uint8Array;
  /** PEM. */
  toString(): string;
}

/** Of a connection whose handshake is done. `client`: it may have shown a certificate. */
export function tlsInfo(ssl: Pointer, handshakeMs: number, client: boolean): TlsInfo {
  const openssl: OpenSsl = openSsl();
  const info: TlsInfo = {
    version: openssl.version(ssl),
    cipher: openssl.cipher(ssl),
    protocol: openssl.alpn(ssl) || undefined,
    serverName: openssl.serverName(ssl) || undefined,
    resumed: openssl.resumed(ssl),
    handshakeMs,
    peerCertificate: undefined,
  };
  // Its bytes now, since the connection may end; what they say when somebody looks.
  const raw = client ? opensslCertificates().ofPeer(ssl) : undefined;
  if (raw === undefined) return info;
  let certificate: PeerCertificate | undefined;
  return Object.defineProperty(info, "peerCertificate", {
    get: () => (certificate ??= new (process.getBuiltinModule("node:crypto").X509Certificate)(raw)),
    enumerable: true,
  });
}
