/**
 * Which certificates a client may be shown, by the name that it asks for (SNI). A name is matched against the
 * certificates' own by RFC 9525, 6.3: letter by letter without regard to case, and a wildcard stands for one whole label,
 * the first. Whose keys are of different types are offered together: the client says what it understands.
 */
import type { X509Certificate } from "node:crypto";
import type { Pointer } from "../../ffi/openssl.ts";
import { opensslCertificates } from "../../ffi/openssl-certificates.ts";

export interface Certified {
  /** Patterns, lower case: "example.com", "*.example.com". */
  readonly names: readonly string[];
  /** "ec", "rsa", "ed25519": of each type an SSL_CTX has one. */
  readonly keyType: string;
}

/** Of an SSL_CTX with one certificate. */
export function certified(context: Pointer): Certified {
  const certificate = certificateOf(context);
  return { names: namesOf(certificate), keyType: certificate.publicKey.asymmetricKeyType ?? "" };
}

export function certificateOf(context: Pointer): X509Certificate {
  const bytes = opensslCertificates().ofContext(context);
  if (bytes === undefined) throw new Error("TLS: OpenSSL has lost a certificate");
  return new (process.getBuiltinModule("node:crypto").X509Certificate)(bytes);
}

/** The DNS names that it is for; where it has none, as old ones, the common name. */
export function namesOf(certificate: X509Certificate): string[] {
  const names = certificate.subjectAltName?.split(", ").flatMap((name) => /^DNS:(.+)$/.exec(name)?.[1] ?? []) ?? [];
  const common = /^CN=(.+)$/m.exec(certificate.subject ?? "")?.[1];
  return (names.length > 0 || common === undefined ? names : [common]).map((name) => name.toLowerCase());
}

/** Groups of certificates by pattern: numbers of them, the first given first. */
export class ServerNames {
  readonly #exact = new Map<string, readonly number[]>();
  /** Without the star: ".example.com". */
  readonly #wildcard = new Map<string, readonly number[]>();
  /** For who asks for nothing, or for nobody's name. */
  readonly fallback: readonly number[];

  constructor(all: readonly Certified[]) {
    const add = (groups: Map<string, readonly number[]>, key: string, index: number): void => {
      const before = groups.get(key) ?? [];
      if (before.every((other) => all[other].keyType !== all[index].keyType)) groups.set(key, [...before, index]);
    };
    for (const [index, { names }] of all.entries()) {
      for (const name of names) {
        if (name.startsWith("*.")) add(this.#wildcard, name.slice(1), index);
        else if (!name.includes("*")) add(this.#exact, name, index);
      }
    }
    // Who does not understand the key of an exact name's certificate may that of a wildcard's.
    for (const name of this.#exact.keys()) {
      for (const index of this.#wildcard.get(parentOf(name)) ?? []) add(this.#exact, name, index);
    }
    const own = all[0].names[0];
    const group = own === undefined ? undefined : this.find(own.replace("*", "x"));
    this.fallback = group?.[0] === 0 ? group : [0];
  }

  /** Of the certificates for this name. */
  find(name: string): readonly number[] | undefined {
    const plain = (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
    return this.#exact.get(plain) ?? this.#wildcard.get(parentOf(plain));
  }

  groups(): Iterable<readonly number[]> {
    return [this.fallback, ...this.#exact.values(), ...this.#wildcard.values()];
  }
}

/** ".example.com" of "www.example.com"; "" where there is no first label to stand for. */
function parentOf(name: string): string {
  const dot = name.indexOf(".");
  return dot > 0 ? name.slice(dot) : "";
}
