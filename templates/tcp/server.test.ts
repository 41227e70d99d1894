import assert from "node:assert/strict";
import { test } from "node:test";
import type { Conn } from "slipway";
import server from "./server.ts";

/** A connection without a network: what the test types, and what it has been told. */
class Person {
  #typed: Uint8Array[] = [];
  #wake = () => {};
  #ended = false;
  heard = "";
  readonly done: Promise<void>;

  constructor() {
    const conn: Pick<Conn, "read" | "write" | "close"> = {
      read: async (buffer) => {
        while (this.#typed.length === 0) {
          if (this.#ended) return null;
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        const bytes = this.#typed.shift() ?? new Uint8Array();
        buffer.set(bytes);
        return bytes.length;
      },
      write: async (bytes) => {
        this.heard += new TextDecoder().decode(bytes);
        return bytes.length;
      },
      close: () => this.leave(),
    };
    this.done = server.connect(conn as Conn);
  }

  async type(text: string): Promise<void> {
    this.#typed.push(new TextEncoder().encode(text));
    this.#wake();
    await settled();
  }

  leave(): void {
    this.#ended = true;
    this.#wake();
  }
}

/** Lets everything that can go on go on. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 1));

test("people meet, talk and leave", async () => {
  const ann = new Person();
  await ann.type("Ann\n");
  const bob = new Person();
  await bob.type("Ann\nBo");
  assert.match(bob.heard, /Ann is here already/);
  await bob.type("b\n");
  assert.match(bob.heard, /Hello Bob\. Here: Ann, Bob/);
  assert.match(ann.heard, /\* Bob came/);

  await ann.type("good morning\n");
  assert.match(bob.heard, /Ann: good morning/);
  assert.doesNotMatch(ann.heard, /good morning/);

  bob.leave();
  await bob.done;
  await settled();
  assert.match(ann.heard, /\* Bob left/);
  ann.leave();
  await ann.done;
});

test("an endless line ends the connection", async () => {
  const eve = new Person();
  await eve.type("x".repeat(2000));
  await eve.done;
});
