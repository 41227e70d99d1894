/**
 * The OpenSSL that the host executable carries and exports (Node does on every platform; Deno and Bun do not): what TLS
 * over the bytes of a poller needs of it. Pointers are numbers. man 7ssl has each function by its name.
 */
import { koffi } from "./koffi.ts";

/** An address; 0 is NULL. */
export type Pointer = number;

export interface OpenSsl {
  newSsl(context: Pointer): Pointer;
  freeSsl(ssl: Pointer): void;
  /** The SSL takes over one reference of each; see `shareBio`. */
  setBios(ssl: Pointer, read: Pointer, write: Pointer): void;
  accept(ssl: Pointer): void;
  /** Bytes, or 0 and less: `error` says why. */
  read(ssl: Pointer, into: Pointer, length: number): number;
  write(ssl: Pointer, from: Pointer, length: number): number;
  writeBytes(ssl: Pointer, bytes: Uint8Array, length: number): number;
  /** Queues close_notify. */
  shutdown(ssl: Pointer): number;
  /** Bit 0: we have said close_notify, bit 1: the peer has. */
  shutdownState(ssl: Pointer): number;
  /**
   * Why `read` has answered `result`: WANTS_READING when it waits for more of the peer's bytes. It looks at the thread's
   * errors, of which there must have been none before (`clearErrors`).
   */
  error(ssl: Pointer, result: number): number;
  clearErrors(): void;
  handshaken(ssl: Pointer): boolean;

  memoryBio(): Pointer;
  /** One more reference, for one more SSL. */
  shareBio(bio: Pointer): void;
  bioPending(bio: Pointer): number;
  bioWrite(bio: Pointer, bytes: Uint8Array, length: number): number;
  bioRead(bio: Pointer, into: Pointer, length: number): number;
  /** Drops what is in it. */
  bioReset(bio: Pointer): void;

  contextControl(context: Pointer, command: number, value: number, argument: Pointer): number;
  contextOptions(context: Pointer, options: number): void;
  /** Whether the context's last key belongs to a certificate of it. */
  keyFits(context: Pointer): boolean;
  /** Node keeps sessions in objects of its own connections, which ours are not. */
  forgetSessionCallbacks(context: Pointer): void;
  /** Of the names that a client offers by ALPN the first of `names` is chosen; a client with none of them is refused. */
  offerAlpn(context: Pointer, names: readonly string[]): void;
  /**
   * Frees the peer's half of the key exchange, which an SSL keeps for whoever asks (SSL_get_peer_tmp_key): of
   * X25519MLKEM768 it is 6.6 KB.
   */
  forgetPeerKey(ssl: Pointer): void;

  version(ssl: Pointer): string;
  cipher(ssl: Pointer): string;
  /** "" when none was agreed on. */
  alpn(ssl: Pointer): string;
  /** The name that the client asked for, "" without. */
  serverName(ssl: Pointer): string;
  resumed(ssl: Pointer): boolean;
  /** The last error's words, "" without one; and forgets them all. */
  takeError(): string;
}

/** SSL_ERROR_WANT_READ: what `error` answers when more of the peer's bytes are needed. */
export const WANTS_READING = 2;
/** SSL_RECEIVED_SHUTDOWN. */
export const PEER_CLOSED = 2;

// openssl/bio.h, openssl/ssl.h, openssl/tls1.h
const BIO_CTRL_RESET = 1;
const CTRL_GET_PEER_TMP_KEY = 109;
const NID_UNDEF = 0;
const TLSEXT_NAMETYPE_HOST_NAME = 0;
const ALERT_FATAL = 2;
const OK = 0;

let bound: OpenSsl | undefined;

/** Bound once a thread. Throws one sentence where the host has none. */
export function openSsl(): OpenSsl {
  return (bound ??= bind());
}

function bind(): OpenSsl {
  const c = koffi.load(null);
  const p = "uintptr_t";
  const f = (name: string, result: string, args: readonly string[]) => c.func(name, result, [...args]);
  try {
    f("SSL_new", p, [p]);
  } catch {
    throw new Error("TLS is not supported on this host: it exports no OpenSSL (slipway's own executable and Node do)");
  }
  const handshaken = f("SSL_is_init_finished", "int", [p]);
  const bioNew = f("BIO_new", p, [p]);
  const bioMemory = f("BIO_s_mem", p, []);
  const bioControl = f("BIO_ctrl", "long", [p, "int", "long", p]);
  const shareBio = f("BIO_up_ref", "int", [p]);
  const setOptions = f("SSL_CTX_set_options", "uint64_t", [p, "uint64_t"]);
  const newCallback = f("SSL_CTX_sess_set_new_cb", "void", [p, p]);
  const getCallback = f("SSL_CTX_sess_set_get_cb", "void", [p, p]);
  const removeCallback = f("SSL_CTX_sess_set_remove_cb", "void", [p, p]);
  const control = f("SSL_ctrl", "long", [p, "int", "long", "void *"]);
  const setType = f("EVP_PKEY_set_type", "int", [p, "int"]);
  const freeKey = f("EVP_PKEY_free", "void", [p]);
  const checkKey = f("SSL_CTX_check_private_key", "int", [p]);
  const version = f("SSL_get_version", "str", [p]);
  const currentCipher = f("SSL_get_current_cipher", p, [p]);
  const cipherName = f("SSL_CIPHER_standard_name", "str", [p]);
  const serverName = f("SSL_get_servername", "str", [p, "int"]);
  const selected = f("SSL_get0_alpn_selected", "void", [p, "void *", "void *"]);
  const resumed = f("SSL_session_reused", "int", [p]);
  const lastError = f("ERR_peek_last_error", "ulong", []);
  const reason = f("ERR_reason_error_string", "str", ["ulong"]);
  const clearErrors = f("ERR_clear_error", "void", []);
  const select = koffi.pointer(
    koffi.proto(`int (${p} ssl, ${p} out, ${p} length, ${p} offered, uint32_t size, ${p} arg)`),
  );
  const setAlpn = c.func("SSL_CTX_set_alpn_select_cb", "void", [p, select, p]);
  /** A copy. */
  const bytesAt = (address: Pointer, length: number): Buffer =>
    Buffer.from(koffi.decode(BigInt(address), koffi.array("uint8_t", length, "Typed")) as Uint8Array);
  const alpnCallbacks = new Map<string, bigint>();
  const alpnCallback = (names: readonly string[]): bigint => {
    // What is answered stays the callee's: OpenSSL copies it behind the call.
    const memory = Buffer.from(names.join(""), "latin1");
    const address = Number(koffi.address(memory));
    kept.push(memory);
    return koffi.register((_ssl: Pointer, out: Pointer, length: Pointer, offered: Pointer, size: number): number => {
      const theirs = alpnNames(bytesAt(offered, size));
      const index = names.findIndex((name) => theirs.includes(name));
      if (index < 0) return ALERT_FATAL;
      koffi.encode(BigInt(out), p, address + names.slice(0, index).join("").length);
      koffi.encode(BigInt(length), "uint8_t", names[index].length);
      return OK;
    }, select);
  };
  return {
    newSsl: f("SSL_new", p, [p]),
    freeSsl: f("SSL_free", "void", [p]),
    setBios: f("SSL_set_bio", "void", [p, p, p]),
    accept: f("SSL_set_accept_state", "void", [p]),
    read: f("SSL_read", "int", [p, p, "int"]),
    write: f("SSL_write", "int", [p, p, "int"]),
    writeBytes: f("SSL_write", "int", [p, "void *", "int"]),
    shutdown: f("SSL_shutdown", "int", [p]),
    shutdownState: f("SSL_get_shutdown", "int", [p]),
    error: f("SSL_get_error", "int", [p, "int"]),
    handshaken: (ssl) => handshaken(ssl) === 1,
    memoryBio: () => bioNew(bioMemory()),
    shareBio: (bio) => void shareBio(bio),
    bioPending: f("BIO_ctrl_pending", "size_t", [p]),
    bioWrite: f("BIO_write", "int", [p, "void *", "int"]),
    bioRead: f("BIO_read", "int", [p, p, "int"]),
    bioReset: (bio) => void bioControl(bio, BIO_CTRL_RESET, 0, 0),
    contextControl: f("SSL_CTX_ctrl", "long", [p, "int", "long", p]),
    contextOptions: (context, options) => void setOptions(context, options),
    keyFits(context) {
      const fits = checkKey(context) === 1;
      if (!fits) clearErrors();
      return fits;
    },
    forgetSessionCallbacks(context) {
      newCallback(context, 0);
      getCallback(context, 0);
      removeCallback(context, 0);
    },
    offerAlpn(context, names) {
      const list = names.join();
      let callback = alpnCallbacks.get(list);
      // One for each list, not for each context: there are only so many, and certificates are renewed for years.
      if (callback === undefined) alpnCallbacks.set(list, (callback = alpnCallback(names)));
      setAlpn(context, callback, 0);
    },
    forgetPeerKey(ssl) {
      if (Number(control(ssl, CTRL_GET_PEER_TMP_KEY, 0, pointerOut)) !== 1) return;
      const key = Number(pointerOut[0]);
      // It frees what the key was, and says that there is no such type to become.
      setType(key, NID_UNDEF);
      clearErrors();
      freeKey(key);
    },
    version: (ssl) => version(ssl),
    cipher: (ssl) => cipherName(currentCipher(ssl)),
    alpn(ssl) {
      selected(ssl, pointerOut, lengthOut);
      return lengthOut[0] === 0 ? "" : bytesAt(Number(pointerOut[0]), lengthOut[0]).toString("latin1");
    },
    serverName: (ssl) => serverName(ssl, TLSEXT_NAMETYPE_HOST_NAME) ?? "",
    resumed: (ssl) => resumed(ssl) === 1,
    clearErrors,
    takeError() {
      const code = lastError();
      if (Number(code) === 0) return "";
      const text: string | null = reason(code);
      clearErrors();
      return text ?? `OpenSSL error ${code}`;
    },
  };
}

/** Memory that OpenSSL points to for as long as the process lives. */
const kept: Buffer[] = [];
const pointerOut = new BigUint64Array(1);
const lengthOut = new Uint32Array(1);

/** ProtocolNameList of RFC 7301, 3.1: each name behind a byte that says how long it is. */
function alpnNames(list: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < list.length; at += 1 + list[at]) names.push(list.toString("latin1", at + 1, at + 1 + list[at]));
  return names;
}
