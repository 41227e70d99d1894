import assert from "node:assert/strict";
import { maxText, type Told } from "./room.ts";
import app from "./server.ts";

// The server itself, on a free port.
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {} }, app.fetch);
const { port } = server.addr;
Deno.test.afterAll(() => server.shutdown());

/** Somebody who has opened the page, and what they were told. */
class Person {
  readonly heard: Told[] = [];
  readonly #socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  #changed = () => {};

  static async comes(name: string): Promise<Person> {
    const person = new Person();
    await new Promise((resolve) => (person.#socket.onopen = resolve));
    person.#socket.onmessage = ({ data }) => {
      person.heard.push(JSON.parse(data));
      person.#changed();
    };
    person.sends({ type: "join", name });
    return person;
  }

  says(text: string): void {
    this.sends({ type: "say", text });
  }

  sends(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Waits until it was said. */
  async hears(pattern: RegExp): Promise<void> {
    while (!this.heard.some((told) => pattern.test(JSON.stringify(told)))) {
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  leaves(): void {
    this.#socket.close();
  }
}

Deno.test("people meet, talk and leave", async () => {
  const ann = await Person.comes("Ann");
  await ann.hears(/"welcome"/);
  const bob = await Person.comes("Bob");
  await bob.hears(/"welcome".*"here":\["Ann","Bob"\]/);
  await ann.hears(/"came","name":"Bob"/);
  bob.says("hello");
  await ann.hears(/"said","name":"Bob","text":"hello"/);
  const second = await Person.comes("ann");
  await second.hears(/ann is here already/);
  bob.leaves();
  await ann.hears(/"left","name":"Bob"/);
  second.sends({ type: "join", name: "Cleo" });
  await second.hears(/"before":\[.*"hello"/);
  second.leaves();
  ann.leaves();
});

Deno.test("what is no message, too long or too much is refused", async () => {
  const eve = await Person.comes("Eve");
  await eve.hears(/"welcome"/);
  const wrong = ["{", "null", "[]", '{"type":"say"}', '{"type":"say","text":7}'];
  for (const data of wrong) eve.sends(data);
  eve.says("x".repeat(maxText + 1));
  for (let i = 0; i < 11; i++) eve.says(`${i}`);
  await eve.hears(/slower/);
  assert.equal(eve.heard.filter((told) => told.type === "refused" && /no message/.test(told.why)).length, 6);
  eve.leaves();
});

Deno.test("pages of other sites may not talk here", async () => {
  const headers = { origin: "http://elsewhere.example" };
  assert.equal((await fetch(`http://127.0.0.1:${port}/chat`, { headers })).status, 403);
});
