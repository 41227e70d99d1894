/** What was agreed on in a connection's handshake, as handlers see it. */
import { type OpenSsl, openSsl, type Pointer } from "../../ffi/openssl.ts";

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
}

/** Of a connection whose handshake is done. */
export function tlsInfo(ssl: Pointer, handshakeMs: number): TlsInfo {
  const openssl: OpenSsl = openSsl();
  return {
    version: openssl.version(ssl),
    cipher: openssl.cipher(ssl),
    protocol: openssl.alpn(ssl) || undefined,
    serverName: openssl.serverName(ssl) || undefined,
    resumed: openssl.resumed(ssl),
    handshakeMs,
  };
}
