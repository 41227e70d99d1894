// A client of one kind for so many seconds, in a process of its own:
//
//   load-client.ts handshake PORT SECONDS PIDS    new TLS connections, each with a whole handshake
//   load-client.ts resumed PORT SECONDS PIDS      the same, gone on with from a session before
//   load-client.ts websocket PORT SECONDS PIDS    messages of 64 bytes that come back, one on the way per connection
//
// One JSON line says how many there were, and what CPU the processes used meanwhile.
import { connect } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { cpuSeconds } from "./cpu.ts";

export interface ClientResult {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const WARMUP_MS = 200;
const AT_ONCE = 16;
const SOCKETS = 64;
const host = "127.0.0.1";
const [kind, portText, secondsText, pidsText] = process.argv.slice(2);
const port = Number(portText);
const pids = pidsText.split(",").map(Number);

let count = 0;
let failed = 0;
let over = false;

const clients: Readonly<Record<string, () => Promise<void>>> = {
  async handshake() {
    for (let i = 0; i < AT_ONCE; i++) shake();
  },
  async resumed() {
    const session = await firstSession();
    for (let i = 0; i < AT_ONCE; i++) shake(session);
  },
  async websocket() {
    await Promise.all(Array.from({ length: SOCKETS }, echo));
  },
};

/** One connection after the other: it is shaken hands on, and closed. */
function shake(session?: Buffer): void {
  const socket = connectTls({ host, port, session, rejectUnauthorized: false, servername: "localhost" }, () => {
    if (session !== undefined && !socket.isSessionReused()) failed++;
    else count++;
    socket.end();
  });
  socket.on("error", () => failed++);
  socket.once("close", () => {
    if (!over) shake(session);
  });
  socket.resume();
}

function firstSession(): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({ host, port, rejectUnauthorized: false, servername: "localhost" });
    socket.once("session", (session: Buffer) => {
      resolve(session);
      socket.end();
    });
    socket.once("error", reject);
    socket.resume();
  });
}

/** A masked text message of 64 bytes (RFC 6455, 5.2), and what comes back of it: 2 bytes of header, 64 of text. */
const MESSAGE = Buffer.concat([Buffer.from([0x81, 0x80 | 64, 0, 0, 0, 0]), Buffer.alloc(64, "a")]);
const ECHO_BYTES = 66;

function echo(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      socket.write(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
    });
    let head = "";
    let received = 0;
    socket.on("data", (bytes: Buffer) => {
      if (head.endsWith("\r\n\r\n")) {
        received += bytes.length;
        if (received < ECHO_BYTES) return;
        received -= ECHO_BYTES;
        count++;
        socket.write(MESSAGE);
        return;
      }
      head += bytes.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      if (!head.startsWith("HTTP/1.1 101 ")) return reject(new Error(`no WebSocket: ${head.split("\r\n", 1)[0]}`));
      resolve();
      socket.write(MESSAGE);
    });
    socket.once("error", () => failed++);
    socket.once("close", () => {
      if (!over) failed++;
    });
  });
}

async function main(): Promise<void> {
  await clients[kind]();
  await new Promise((resolve) => setTimeout(resolve, WARMUP_MS));
  count = 0;
  failed = 0;
  const cpu = cpuSeconds(pids);
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, Number(secondsText) * 1000));
  const result: ClientResult = {
    count,
    failed,
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: cpuSeconds(pids) - cpu,
  };
  over = true;
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

main().catch((error: Error) => {
  console.error(`load-client: ${error.message}`);
  process.exit(1);
});
