/**
 * What session tickets are encrypted with (RFC 5077, 4; RFC 8446, 4.6.1): whoever has the key can read what was said in
 * the sessions that it was used for, so it is another one every twelve hours, and the one before is accepted that long.
 *
 * All threads must have the same at the same time, without talking: each key comes from a secret, and the next secret from
 * this one by a hash, so that no thread needs to be told, and none can go back. Of the clock all know the time.
 *
 * Where replicas, or a restart, are to go on with each other's sessions, the keys are given (`--tls-ticket-keys`), and
 * whoever gives them changes them.
 */
import { TICKET_KEY_BYTES, type TicketKey, type TicketKeyRing } from "../../ffi/openssl-callbacks.ts";

const ROTATION_MS = 12 * 3_600_000;
/** Where threads find the secret. */
const SECRET = "slipway ticket secret";
/** Keys are looked for one after the other. */
const MOST_KEYS = 16;

interface Secret {
  readonly bytes: Uint8Array;
  /** When its key's time begins: milliseconds of the wall clock. */
  readonly since: number;
}

const crypto = () => process.getBuiltinModule("node:crypto");
const threads = () => process.getBuiltinModule("node:worker_threads");

/** Those of a thread. */
export class TicketKeys implements TicketKeyRing {
  keys: readonly TicketKey[];
  readonly #rotation: number;
  #secret: Secret | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(secret: Secret, rotation = ROTATION_MS) {
    this.#rotation = rotation;
    this.#secret = secret;
    this.keys = [keyOf(secret)];
    this.#wait();
  }

  get secret(): Secret | undefined {
    return this.#secret;
  }

  /** Rotates as often as was due by now. */
  rotate(now = Date.now()): void {
    while (this.#secret !== undefined && now >= this.#secret.since + this.#rotation) {
      const { bytes, since } = this.#secret;
      const next = { bytes: crypto().createHash("sha256").update("next").update(bytes).digest(), since: since + this.#rotation }; // biome-ignore format: one line
      this.#secret = next;
      this.keys = [keyOf(next), this.keys[0]];
      // Threads that start later begin with this one.
      if (threads().getEnvironmentData(SECRET) !== undefined) share(next);
    }
    this.#wait();
  }

  /** These from here on, of which the first encrypts. */
  fix(keys: readonly TicketKey[]): void {
    clearTimeout(this.#timer);
    this.#secret = undefined;
    this.keys = keys;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#secret === undefined) return;
    const left = this.#secret.since + this.#rotation - Date.now();
    this.#timer = setTimeout(() => this.rotate(), Math.max(1, Math.min(left, this.#rotation))).unref();
  }
}

let own: TicketKeys | undefined;

/** This thread's. */
export function ticketKeys(): TicketKeys {
  return (own ??= new TicketKeys(
    (threads().getEnvironmentData(SECRET) as Secret | undefined) ?? {
      bytes: crypto().randomBytes(32),
      since: Date.now(),
    },
  ));
}

/** A session may be resumed on any thread: to be called before there are any. */
export function shareTicketKeys(): void {
  const { secret } = ticketKeys();
  if (secret !== undefined) share(secret);
}

function share({ bytes, since }: Secret): void {
  // A copy: a Buffer may lie in a pool of many, all of which would be copied.
  threads().setEnvironmentData(SECRET, { bytes: new Uint8Array(bytes), since } as never);
}

const keyOf = ({ bytes }: Secret): TicketKey =>
  new Uint8Array(crypto().hkdfSync("sha256", bytes, "", "slipway ticket key", TICKET_KEY_BYTES));

/** Keys as people give them: one a line, hex or base64 of 80 bytes or of 48; or one file of as many bytes, as nginx has it. */
export function readTicketKeys(given: string | Uint8Array): TicketKey[] {
  if (typeof given !== "string" && isKey(given)) return [whole(given)];
  const lines = Buffer.from(given)
    .toString("latin1")
    .split(/[\r\n,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new TypeError("there is no key in it");
  if (lines.length > MOST_KEYS) throw new TypeError(`there are ${lines.length} keys in it: ${MOST_KEYS} are the most`);
  return lines.map((line, index) => {
    const hex = /^(?:[0-9a-f]{2})+$/i.test(line);
    const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(line) ? Buffer.from(line, hex ? "hex" : "base64") : Buffer.alloc(0);
    if (!isKey(bytes)) throw new TypeError(`key ${index + 1} is not 80 or 48 bytes in base64 or hex`);
    return whole(bytes);
  });
}

const isKey = ({ length }: Uint8Array): boolean => length === TICKET_KEY_BYTES || length === 48;

/** Of 48 bytes the first 16 are the name, and what the rest is made of. */
function whole(bytes: Uint8Array): TicketKey {
  if (bytes.length === TICKET_KEY_BYTES) return new Uint8Array(bytes);
  const rest = crypto().createHash("sha512").update(bytes).digest();
  return new Uint8Array(Buffer.concat([bytes.subarray(0, 16), rest]));
}
