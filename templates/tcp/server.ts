// A line chat: everybody who connects gives a name, and hears what the others say. Try: nc localhost 8000
import type { Conn } from "slipway";

/** Longer lines end the connection: memory is not the client's to fill. */
const maxLine = 1024;
/** Somebody who reads so slowly that this many lines wait is let go, so that nobody waits for them. */
const maxWaiting = 256;

interface Member {
  readonly name: string;
  say(line: string): void;
}

const members = new Set<Member>();

export default {
  /** One call a connection, which is open for as long as the call runs. The signal says that the server shuts down. */
  async connect(conn: Conn, signal?: AbortSignal): Promise<void> {
    signal?.addEventListener("abort", () => conn.close());
    const outbox = new Outbox(conn);
    outbox.say("What is your name?");
    let me: Member | undefined;
    try {
      for await (const line of lines(conn)) {
        const text = line.trim();
        if (text === "") continue;
        if (me !== undefined) {
          tell(`${me.name}: ${text}`, me);
        } else if ([...members].some((member) => member.name === text)) {
          outbox.say(`${text} is here already. Another name?`);
        } else {
          me = { name: text, say: (said) => outbox.say(said) };
          members.add(me);
          outbox.say(`Hello ${text}. Here: ${[...members].map((member) => member.name).join(", ")}`);
          tell(`* ${text} came`, me);
        }
      }
    } finally {
      if (me !== undefined) {
        members.delete(me);
        tell(`* ${me.name} left`, me);
      }
      await outbox.finished();
    }
  },
};

function tell(line: string, from: Member): void {
  for (const member of members) {
    if (member !== from) member.say(line);
  }
}

/** Lines to one connection, in order, written as fast as it reads and no faster. */
class Outbox {
  #conn: Conn;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  say(line: string): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#waiting.length = 0;
      this.#conn.close();
      return;
    }
    this.#waiting.push(line);
    if (!this.#busy) this.#writing = this.#drain();
  }

  finished(): Promise<void> {
    return this.#writing;
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#waiting.length > 0) {
        let bytes = new TextEncoder().encode(`${this.#waiting.splice(0).join("\n")}\n`);
        while (bytes.length > 0) bytes = bytes.subarray(await this.#conn.write(bytes));
      }
    } catch {
      // The connection is gone; its reader ends by itself.
    } finally {
      this.#busy = false;
    }
  }
}

/** The lines that a connection sends. */
async function* lines(conn: Conn): AsyncGenerator<string> {
  const buffer = new Uint8Array(4096);
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const count = await conn.read(buffer).catch(() => null);
    if (count === null) break;
    rest += decoder.decode(buffer.subarray(0, count), { stream: true });
    const whole = rest.split("\n");
    rest = whole.pop() ?? "";
    yield* whole;
    if (rest.length > maxLine) break;
  }
}
