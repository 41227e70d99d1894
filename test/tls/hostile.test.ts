// Clients that break TLS on purpose. All connections share OpenSSL's two memory BIOs, so what one leaves in them would be
// the next one's: whatever is sent, and wherever it is cut, an honest client beside it is served.
import { once } from "node:events";
import { connect as connectBare, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { logged, start } from "../http/support/server.ts";
import { identity } from "../support/tls.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const secure = () => start((request) => new Response(new URL(request.url).pathname), { ...identity });

/** OpenSSL's client whose bytes go through our hands, both ways. */
class Puppet {
  readonly tls: TLSSocket;
  /** What it has written, and nobody has taken. */
  written: Buffer = Buffer.alloc(0);
  /** Where it goes at once, while there is such a place. */
  passOn: ((bytes: Buffer) => void) | undefined;
  readonly #pipe: Duplex;
  #told: (() => void) | undefined;

  constructor(options: ConnectionOptions = {}) {
    this.#pipe = new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        if (this.passOn !== undefined) this.passOn(bytes);
        else this.written = Buffer.concat([this.written, bytes]);
        this.#told?.();
        done();
      },
    });
    this.#pipe.on("error", () => {});
    this.tls = connectTls({ socket: this.#pipe, rejectUnauthorized: false, servername: "localhost", ...options });
    this.tls.on("error", () => {});
  }

  hear(bytes: Buffer): void {
    this.#pipe.push(bytes);
  }

  /** Everything that it has written so far, and at least so much. */
  async take(least = 1): Promise<Buffer> {
    while (this.written.length < least) await new Promise<void>((resolve) => (this.#told = resolve));
    const bytes = this.written;
    this.written = Buffer.alloc(0);
    return bytes;
  }
}

async function dial(port: number): Promise<Socket> {
  const socket = connectBare({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Connected, its handshake done: what it says from here on is the test's to send. */
async function handshaken(port: number, options?: ConnectionOptions): Promise<{ puppet: Puppet; socket: Socket }> {
  const puppet = new Puppet(options);
  const socket = await dial(port);
  socket.on("data", (bytes: Buffer) => puppet.hear(bytes));
  puppet.passOn = (bytes) => void socket.write(bytes);
  socket.write(await puppet.take());
  puppet.tls.write(GET.replace("/", "/first"));
  const [bytes] = (await once(puppet.tls, "data")) as [Buffer];
  puppet.passOn = undefined;
  assert.match(bytes.toString(), /\/first$/);
  return { puppet, socket };
}

async function served(port: number): Promise<void> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: identity.cert });
  await once(socket, "secureConnect");
  socket.write(GET.replace("/", "/honest"));
  const [bytes] = (await once(socket, "data")) as [Buffer];
  assert.match(bytes.toString(), /\/honest$/);
  socket.destroy();
}

const garbage: Record<string, string> = {
  "close_notify in the clear": "15030100020100",
  "a fatal alert in the clear": "15030300020228",
  "a warning that there is none of": "1503010002015a",
  "half an alert": "15030300",
  "change_cipher_spec, twice": "140303000101140303000101",
  "change_cipher_spec of two bytes": "14030300020101",
  "a record of data that can't be decrypted": "1703030005aabbccddee",
  "a record longer than may be": "1703034fff00",
  "a handshake message without end": "160303000401ffffff",
  "no record at all": "ffffffffffffffff",
};

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const [name, hex] of Object.entries(garbage)) {
    test(`${maxVersion}, instead of the client's part of the handshake: ${name}`, async () => {
      using server = secure();
      await logged(async () => {
        const socket = await dial(server.port);
        socket.write(await new Puppet({ maxVersion }).take());
        await once(socket, "data");
        socket.write(Buffer.from(hex, "hex"));
        await served(server.port);
        const other = await dial(server.port);
        other.write(await new Puppet({ maxVersion }).take());
        await once(other, "data");
        socket.destroy();
        await served(server.port);
        other.destroy();
      });
    });

    test(`${maxVersion}, behind a request: ${name}`, async () => {
      using server = secure();
      await logged(async () => {
        const { socket } = await handshaken(server.port, { maxVersion });
        socket.write(Buffer.from(hex, "hex"));
        await served(server.port);
        socket.destroy();
        await served(server.port);
      });
    });
  }
}

test("a record cut so that its rest looks like a whole one leaves nothing to others", async () => {
  using server = secure();
  const { puppet, socket } = await handshaken(server.port);
  // One request that is complete, and then bodies that go on and on: enough bytes for whatever length the cut says.
  const post = "POST /mimic HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n";
  puppet.tls.write(post + "x".repeat(200_000));
  const bytes = await puppet.take(200_000);
  // Where two bytes at the right place say a length that there is: chance brings one soon.
  const first = 5 + bytes.readUInt16BE(3);
  let cut = 6;
  const says = (): number => 5 + bytes.readUInt16BE(cut + 3);
  while (says() < first - cut + 6 || says() > 60_000) cut++;
  assert.ok(cut < first - 5, "no such place; run it again");
  const answered = once(puppet.tls, "data");
  socket.write(bytes.subarray(0, cut));
  // The server has read that once it has answered another who came behind.
  await served(server.port);
  socket.write(bytes.subarray(cut, cut + says()));
  await served(server.port);
  await served(server.port);
  puppet.passOn = (more) => void socket.write(more);
  socket.write(Buffer.concat([bytes.subarray(cut + says()), puppet.written]));
  const [answer] = (await answered) as [Buffer];
  assert.match(answer.toString(), /\/mimic$/);
  socket.destroy();
});

test.run();
