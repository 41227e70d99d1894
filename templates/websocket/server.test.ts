import assert from "node:assert/strict";
import { test } from "node:test";
import { maxText, Room, type Told } from "./room.ts";

/** Somebody without a network: what they were told. */
class Person {
  readonly heard: Told[] = [];
  send(text: string): void {
    this.heard.push(JSON.parse(text));
  }
  get last(): string {
    return JSON.stringify(this.heard.at(-1));
  }
}

function chat() {
  const room = new Room<Person>((people, text) => {
    for (const person of people) person.send(text);
  });
  const comes = (name: string): Person => {
    const person = new Person();
    room.hear(person, JSON.stringify({ type: "join", name }));
    return person;
  };
  const says = (person: Person, text: string) => room.hear(person, JSON.stringify({ type: "say", text }));
  return { room, comes, says };
}

test("people meet, talk and leave", () => {
  const { room, comes, says } = chat();
  const ann = comes("Ann");
  const bob = comes("Bob");
  assert.match(bob.last, /"welcome".*"here":\["Ann","Bob"\]/);
  assert.match(ann.last, /"came","name":"Bob"/);
  says(bob, "hello");
  assert.match(ann.last, /"said","name":"Bob","text":"hello"/);
  room.leave(bob);
  assert.match(ann.last, /"left","name":"Bob"/);
  assert.match(comes("Cleo").last, /"before":\[.*"hello"/);
});

test("a name is taken once", () => {
  const { comes } = chat();
  comes("Ann");
  assert.match(comes("ann").last, /ann is here already/);
});

test("what is no message, too long or too much is refused", () => {
  const { room, comes, says } = chat();
  const eve = comes("Eve");
  for (const data of ["{", "null", "[]", '{"type":"say"}', '{"type":"say","text":7}', new ArrayBuffer(3)]) {
    room.hear(eve, data);
    assert.match(eve.last, /no message/);
  }
  says(eve, "x".repeat(maxText + 1));
  assert.match(eve.last, /no message/);
  for (let i = 0; i < 11; i++) says(eve, `${i}`);
  assert.match(eve.last, /slower/);
});
