// The chat itself, without a network: that is how room.test.ts talks to it.

/** Longer ones are refused: memory is not the client's to fill. */
export const maxText = 500;
const maxName = 24;
/** What somebody who comes in reads first. */
const kept = 50;
/** So many messages in so many milliseconds, and no more. */
const burst = 10;
const window = 5_000;

/** What the page says to the server. */
type Said = { type: "join"; name: string } | { type: "say"; text: string };
/** What the server says to the page. */
export type Told =
  | { type: "welcome"; name: string; here: string[]; before: Told[] }
  | { type: "came" | "left"; name: string }
  | { type: "said"; name: string; text: string; at: string }
  | { type: "refused"; why: string };

/** One who is connected. */
export interface Guest {
  send(text: string): void;
}

interface Member {
  readonly name: string;
  readonly times: number[];
}

export class Room<G extends Guest> {
  readonly #members = new Map<G, Member>();
  readonly #before: Told[] = [];
  readonly #toAll: (guests: Iterable<G>, text: string) => void;

  /** `toAll` sends one text to many. */
  constructor(toAll: (guests: Iterable<G>, text: string) => void) {
    this.#toAll = toAll;
  }

  /** A message from a guest; anything may be in it. */
  hear(guest: G, data: unknown): void {
    const said = read(data);
    if (said === undefined) return tell(guest, { type: "refused", why: "that is no message of this chat" });
    const member = this.#members.get(guest);
    if (said.type === "join") return this.#join(guest, said.name);
    if (member === undefined) return tell(guest, { type: "refused", why: "say who you are first" });
    const now = Date.now();
    while (member.times.length > 0 && member.times[0] < now - window) member.times.shift();
    if (member.times.length >= burst) return tell(guest, { type: "refused", why: "slower, please" });
    member.times.push(now);
    this.#say({ type: "said", name: member.name, text: said.text, at: new Date(now).toISOString() });
  }

  leave(guest: G): void {
    const member = this.#members.get(guest);
    if (member === undefined) return;
    this.#members.delete(guest);
    this.#say({ type: "left", name: member.name });
  }

  #join(guest: G, name: string): void {
    if (this.#members.has(guest)) return tell(guest, { type: "refused", why: "you have a name already" });
    const taken = [...this.#members.values()].some((member) => member.name.toLowerCase() === name.toLowerCase());
    if (taken) return tell(guest, { type: "refused", why: `${name} is here already` });
    const before = [...this.#before];
    this.#say({ type: "came", name });
    this.#members.set(guest, { name, times: [] });
    const here = [...this.#members.values()].map((member) => member.name);
    tell(guest, { type: "welcome", name, here, before });
  }

  #say(told: Told): void {
    this.#before.push(told);
    if (this.#before.length > kept) this.#before.shift();
    this.#toAll(this.#members.keys(), JSON.stringify(told));
  }
}

function tell(guest: Guest, told: Told): void {
  guest.send(JSON.stringify(told));
}

function read(data: unknown): Said | undefined {
  if (typeof data !== "string") return undefined;
  let said: { type?: unknown; name?: unknown; text?: unknown } | null;
  try {
    said = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null) return undefined;
  const text = said.type === "join" ? said.name : said.type === "say" ? said.text : undefined;
  if (typeof text !== "string" || text.trim() === "") return undefined;
  if (said.type === "join") return text.length <= maxName ? { type: "join", name: text.trim() } : undefined;
  return text.length <= maxText ? { type: "say", text: text.trim() } : undefined;
}
