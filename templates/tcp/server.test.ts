import assert from "node:assert/strict";
import { connect, listen, serveConn } from "slipway";
import server from "./server.ts";

// The server itself, on a free port.
const listener = listen({ port: 0, hostname: "127.0.0.1" });
const running = serveConn(listener, server.connect);
Deno.test.afterAll(() => running.close());

/** Somebody who has connected, and what they have heard. */
class Person {
  heard = "";
  ended = false;
  readonly #conn: Deno.Conn;
  #changed = () => {};

  static async comes(): Promise<Person> {
    const { port } = listener.addr as Deno.NetAddr;
    return new Person(await connect({ port, hostname: "127.0.0.1" }));
  }

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    void this.#listen();
  }

  async says(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }

  /** Waits until it was said. */
  async hears(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.heard)) {
      assert.ok(!this.ended, `the connection has ended without ${pattern}: ${this.heard}`);
      await this.#more();
    }
  }

  async isLetGo(): Promise<void> {
    while (!this.ended) await this.#more();
  }

  leaves(): void {
    this.#conn.close();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#changed = resolve));
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(1024);
    const decoder = new TextDecoder();
    for (let n = await this.#read(buffer); n !== null; n = await this.#read(buffer)) {
      this.heard += decoder.decode(buffer.subarray(0, n), { stream: true });
      this.#changed();
    }
    this.ended = true;
    this.#changed();
  }

  #read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer).catch(() => null);
  }
}

Deno.test("people meet, talk and leave", async () => {
  const ann = await Person.comes();
  await ann.says("Ann\n");
  await ann.hears(/Hello Ann/);
  const bob = await Person.comes();
  await bob.says("Ann\nBo");
  await bob.hears(/Ann is here already/);
  await bob.says("b\n");
  await bob.hears(/Hello Bob\. Here: Ann, Bob/);
  await ann.hears(/\* Bob came/);

  await ann.says("good morning\n");
  await bob.hears(/Ann: good morning/);
  assert.doesNotMatch(ann.heard, /good morning/);

  bob.leaves();
  await ann.hears(/\* Bob left/);
  ann.leaves();
});

Deno.test("an endless line ends the connection", async () => {
  const eve = await Person.comes();
  await eve.says("x".repeat(2000));
  await eve.isLetGo();
  eve.leaves();
});
