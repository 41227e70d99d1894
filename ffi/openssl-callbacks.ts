/**
 * What OpenSSL asks us within a handshake, beside ALPN: bound when a context needs it, since most do not. It asks in the
 * middle of SSL_read, on the thread that called it. What throws here must not get into OpenSSL.
 */
import { koffi } from "./koffi.ts";
import type { Pointer } from "./openssl.ts";

// openssl/tls1.h, openssl/ssl.h
const CTRL_SET_SERVERNAME_CALLBACK = 53;
const CTRL_SET_SERVERNAME_ARGUMENT = 54;
const NAMETYPE_HOST_NAME = 0;
const OK = 0;
const NOACK = 3;

/** Whose SSL_CTX goes with a name. */
export interface ByName {
  choose(name: string): Pointer;
}

const p = "uintptr_t";

interface NameCallbacks {
  ask(context: Pointer, who: ByName): void;
}
let names: NameCallbacks | undefined;

/** An SSL of this context is told the name that the client asks for, and goes on with what `who` chooses. */
export function askByName(context: Pointer, who: ByName): void {
  (names ??= bindNames()).ask(context, who);
}

function bindNames(): NameCallbacks {
  const c = koffi.load(null);
  const serverName = c.func("SSL_get_servername", "str", [p, "int"]);
  const contextOf = c.func("SSL_get_SSL_CTX", p, [p]);
  const setContext = c.func("SSL_set_SSL_CTX", p, [p, p]);
  const type = koffi.pointer(koffi.proto(`int (${p} ssl, ${p} alert, ${p} who)`));
  const setCallback = c.func("SSL_CTX_callback_ctrl", "long", [p, "int", type]);
  const control = c.func("SSL_CTX_ctrl", "long", [p, "int", "long", p]);
  /** One callback for all: each context has the number of whom to ask. Contexts live as long as who made them, and longer. */
  const asked = new Map<number, WeakRef<ByName>>();
  const gone = new FinalizationRegistry<number>((id) => asked.delete(id));
  const ids = new WeakMap<ByName, number>();
  let last = 0;
  const callback: bigint = koffi.register((ssl: Pointer, _alert: Pointer, id: Pointer): number => {
    try {
      const name: string | null = serverName(ssl, NAMETYPE_HOST_NAME);
      const context = name === null ? 0 : (asked.get(id)?.deref()?.choose(name) ?? 0);
      if (context === 0) return NOACK;
      if (context !== contextOf(ssl)) setContext(ssl, context);
      return OK;
    } catch {
      return NOACK;
    }
  }, type);
  return {
    ask(context, who) {
      let id = ids.get(who);
      if (id === undefined) {
        ids.set(who, (id = ++last));
        asked.set(id, new WeakRef(who));
        gone.register(who, id);
      }
      setCallback(context, CTRL_SET_SERVERNAME_CALLBACK, callback);
      control(context, CTRL_SET_SERVERNAME_ARGUMENT, 0, id);
    },
  };
}

/** What a ticket is encrypted with: 16 bytes that name the key, 32 for HMAC-SHA256, 32 for AES-256-CBC. */
export type TicketKey = Uint8Array;
export const TICKET_KEY_BYTES = 80;
const TICKET_NAME_BYTES = 16;
const TICKET_IV_BYTES = 16;

/** Where the keys are that hold now: the first encrypts, all are accepted. */
export interface TicketKeyRing {
  readonly keys: readonly TicketKey[];
}

interface TicketCallbacks {
  use(context: Pointer): void;
}
let tickets: TicketCallbacks | undefined;

/** A context's tickets are encrypted with the keys of `ring`, which is the thread's. */
export function ticketsBy(context: Pointer, ring: TicketKeyRing): void {
  (tickets ??= bindTickets(ring)).use(context);
}

/** A key as OpenSSL is given it; its memory stays as long as this. */
interface BoundKey {
  readonly bytes: Buffer;
  readonly parameters: Buffer;
  readonly name: Pointer;
  readonly aes: Pointer;
}

// openssl/core.h: struct ossl_param_st { const char *key; unsigned type; void *data; size_t size, return_size }
const PARAMETER_BYTES = 40;
const PARAMETER_UTF8 = 4;
const PARAMETER_BYTES_TYPE = 5;

function bindTickets(ring: TicketKeyRing): TicketCallbacks {
  const c = koffi.load(null);
  const random = c.func("RAND_bytes", "int", [p, "int"]);
  // Windows's C library is no part of the executable.
  const libc = process.platform === "win32" ? koffi.load("msvcrt.dll") : c;
  const copy = libc.func("memcpy", p, [p, p, "size_t"]);
  const compare = libc.func("memcmp", "int", [p, p, "size_t"]);
  const cipher: Pointer = c.func("EVP_aes_256_cbc", p, [])();
  const encrypt = c.func("EVP_EncryptInit_ex", "int", [p, p, p, p, p]);
  const decrypt = c.func("EVP_DecryptInit_ex", "int", [p, p, p, p, p]);
  const parameters = c.func("EVP_MAC_CTX_set_params", "int", [p, "void *"]);
  const text = (word: string): Buffer => Buffer.from(`${word}\0`);
  const [keyName, digestName, digest] = [text("key"), text("digest"), text("SHA256")];
  const address = (memory: Buffer): bigint => BigInt(koffi.address(memory));
  const bound = new WeakMap<TicketKey, BoundKey>();
  const bind = (key: TicketKey): BoundKey => {
    // In memory of its own, which nobody moves.
    const bytes = Buffer.from(new Uint8Array(key).buffer);
    const at = address(bytes);
    const memory = Buffer.from(new ArrayBuffer(3 * PARAMETER_BYTES));
    const put = (index: number, name: Buffer, type: number, data: bigint, size: number): void => {
      const offset = index * PARAMETER_BYTES;
      memory.writeBigUInt64LE(address(name), offset);
      memory.writeUInt32LE(type, offset + 8);
      memory.writeBigUInt64LE(data, offset + 16);
      memory.writeBigUInt64LE(BigInt(size), offset + 24);
    };
    put(0, keyName, PARAMETER_BYTES_TYPE, at + 16n, 32);
    put(1, digestName, PARAMETER_UTF8, address(digest), digest.length - 1);
    return { bytes, parameters: memory, name: Number(at), aes: Number(at) + 48 };
  };
  const boundOf = (key: TicketKey): BoundKey => {
    let one = bound.get(key);
    if (one === undefined) bound.set(key, (one = bind(key)));
    return one;
  };
  const type = koffi.pointer(koffi.proto(`int (${p} ssl, ${p} name, ${p} iv, ${p} cipher, ${p} mac, int encrypts)`));
  const setCallback = c.func("SSL_CTX_set_tlsext_ticket_key_evp_cb", "int", [p, type]);
  /** -1: the handshake fails; 0: no ticket, or a full handshake; 1; 2: accepted, and to be renewed. */
  const callback: bigint = koffi.register(
    (_ssl: Pointer, name: Pointer, iv: Pointer, ciphers: Pointer, mac: Pointer, encrypts: number): number => {
      try {
        const { keys } = ring;
        if (encrypts === 1) {
          const key = boundOf(keys[0]);
          copy(name, key.name, TICKET_NAME_BYTES);
          if (random(iv, TICKET_IV_BYTES) !== 1 || encrypt(ciphers, cipher, 0, key.aes, iv) !== 1) return 0;
          return parameters(mac, key.parameters) === 1 ? 1 : 0;
        }
        for (let i = 0; i < keys.length; i++) {
          const key = boundOf(keys[i]);
          if (compare(name, key.name, TICKET_NAME_BYTES) !== 0) continue;
          if (parameters(mac, key.parameters) !== 1 || decrypt(ciphers, cipher, 0, key.aes, iv) !== 1) return 0;
          return i === 0 ? 1 : 2;
        }
        return 0;
      } catch {
        return 0;
      }
    },
    type,
  );
  return { use: (context) => void setCallback(context, callback) };
}

/** Answers of authorities by the certificate that they are about (DER, as latin1), and until when they hold. */
export type Staples = Map<string, { readonly response: Uint8Array; readonly until: number }>;

let staples: { use(context: Pointer): void } | undefined;

/** A context's clients that ask for the authority's word (status_request) get it from `all`, which is the thread's. */
export function stapleFrom(context: Pointer, all: Staples): void {
  (staples ??= bindStaples(all)).use(context);
}

// openssl/tls1.h
const CTRL_SET_STATUS_CALLBACK = 63;
const CTRL_SET_STATUS_RESPONSE = 71;

function bindStaples(all: Staples): { use(context: Pointer): void } {
  const c = koffi.load(null);
  const shown = c.func("SSL_get_certificate", p, [p]);
  const encode = c.func("i2d_X509", "int", [p, "void *"]);
  const allocate = c.func("CRYPTO_malloc", p, ["size_t", p, "int"]);
  const copy = c.func("memcpy", p, [p, "void *", "size_t"]);
  const control = c.func("SSL_ctrl", "long", [p, "int", "long", p]);
  const type = koffi.pointer(koffi.proto(`int (${p} ssl, ${p} argument)`));
  const setCallback = c.func("SSL_CTX_callback_ctrl", "long", [p, "int", type]);
  const callback: bigint = koffi.register((ssl: Pointer): number => {
    try {
      const certificate: Pointer = shown(ssl);
      const length: number = certificate === 0 ? 0 : encode(certificate, null);
      if (length <= 0) return NOACK;
      const der = Buffer.from(new ArrayBuffer(length));
      encode(certificate, new BigUint64Array([BigInt(koffi.address(der))]));
      const staple = all.get(der.toString("latin1"));
      if (staple === undefined || staple.until <= Date.now()) return NOACK;
      const { response } = staple;
      // OpenSSL's own from here on.
      const memory: Pointer = allocate(response.length, 0, 0);
      if (memory === 0) return NOACK;
      copy(memory, response, response.length);
      control(ssl, CTRL_SET_STATUS_RESPONSE, response.length, memory);
      return OK;
    } catch {
      return NOACK;
    }
  }, type);
  return { use: (context) => void setCallback(context, CTRL_SET_STATUS_CALLBACK, callback) };
}
