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
