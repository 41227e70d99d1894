/** Certificates and their keys as people have them. */
import { InvalidData } from "../runtime/errors.ts";

export type TlsIdentity = PemIdentity | PfxIdentity;

interface Common {
  /** Of an encrypted key. */
  readonly passphrase?: string | undefined;
  /** What the certificate's authority says of it (RFC 6960, DER), to be shown to clients that ask (RFC 6066, 8). */
  readonly ocsp?: Uint8Array | undefined;
}
export interface PemIdentity extends Common {
  /** PEM: the certificate, and behind it those between it and the root. */
  readonly cert: string | Uint8Array;
  /** PEM: the private key; RSA, ECDSA or Ed25519. */
  readonly key: string | Uint8Array;
  readonly pfx?: undefined;
}
export interface PfxIdentity extends Common {
  /** PKCS#12: certificate, chain and key in one. */
  readonly pfx: Uint8Array;
  readonly cert?: undefined;
  readonly key?: undefined;
}

/** A certificate or a key that can't be used: the person's to mend. To programs it is Deno's class for it. */
export class TlsConfigError extends InvalidData {
  /** Which of several certificates it is. */
  readonly index: number;

  constructor(message: string, index = 0, options?: ErrorOptions) {
    super(message, options);
    this.name = "InvalidData";
    this.index = index;
  }
}

export const NOT_ITS_KEY = "the key does not belong to the certificate";
