/** The kept inputs of `test/http/corpus`, and changed and joined ones made from them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { scramble } from "./generate.ts";
import type { Random } from "./random.ts";

export interface Entry {
  readonly name: string;
  readonly bytes: Buffer;
  /** 0: it is read; else the status that it is refused with. */
  readonly status: number;
  /** How many requests are read. */
  readonly requests: number;
}

const folder = join(import.meta.dirname, "../corpus");

export const corpus: readonly Entry[] = readdirSync(folder)
  .filter((file) => file.endsWith(".http"))
  .sort()
  .map((file) => {
    const match = /^(?:ok-(\d+)|([45]\d\d))-.+\.http$/.exec(file);
    if (match === null) throw new Error(`test/http/corpus/${file}: the name must begin with ok-<requests> or a status`);
    const [, requests = "0", status = "0"] = match;
    const bytes = readFileSync(join(folder, file));
    return { name: file.slice(0, -5), bytes, status: Number(status), requests: Number(requests) };
  });

/** Long ones (they are there for a limit) would take all the time. */
const short: readonly string[] = corpus.filter(({ bytes }) => bytes.length < 2000).map(({ bytes }) => bytes.toString("latin1")); // biome-ignore format: one line

const LINE = /[^\n]*\n|[^\n]+$/g;
const linesOf = (text: string): string[] => text.match(LINE) ?? [];
const ENDS = ["\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n", " \r\n", "\t\r\n", "\0\r\n", ""];

/** One of the corpus, changed by its grammar (lines, names, numbers, chunks), then maybe by bytes, or two joined. */
export function mutate(random: Random): Buffer {
  let text = random.pick(short);
  if (random.chance(0.15)) text = splice(random, text, random.pick(short));
  for (let i = random.below(4); i > 0; i--) text = change(random, text);
  if (random.chance(0.15)) text += random.pick(short);
  const bytes = Buffer.from(text, "latin1");
  return random.chance(0.3) ? scramble(random, bytes) : bytes;
}

function splice(random: Random, a: string, b: string): string {
  const first = linesOf(a);
  const second = linesOf(b);
  return (
    first.slice(0, random.below(first.length + 1)).join("") + second.slice(random.below(second.length + 1)).join("")
  );
}

function change(random: Random, text: string): string {
  const lines = linesOf(text);
  const at = random.below(lines.length);
  const line = lines[at] ?? "";
  switch (random.below(9)) {
    case 0: // a line of another one
      lines.splice(at, random.below(2), random.pick(linesOf(random.pick(short))));
      break;
    case 1:
      lines.splice(at, 1);
      break;
    case 2: // twice, or moved
      lines.splice(random.below(lines.length), 0, line);
      break;
    case 3:
      lines[at] = line.replace(/\r?\n?$/, random.pick(ENDS));
      break;
    case 4:
      lines[at] = line.replace(/^[^:]*/, (name) => (random.chance(0.5) ? name.toUpperCase() : name.toLowerCase()));
      break;
    case 5: // a number, one off, or written otherwise
      lines[at] = line.replace(/[0-9a-f]+(?=\r?\n|;)/i, (digits) => {
        const value = Number.parseInt(digits, 16);
        return random.pick([value + 1, Math.max(0, value - 1), `0${digits}`, `${digits}0`, ` ${digits}`, `${digits} `, `-${digits}`]).toString(); // biome-ignore format: a list
      });
      break;
    case 6: // white space about the punctuation
      lines[at] = line.replace(/[:;=,]/, (mark) => random.pick([` ${mark}`, `${mark} `, `\t${mark}\t`, `${mark}${mark}`, ""])); // biome-ignore format: a list
      break;
    case 7: // a line folded, or two made one
      lines[at] = line.replace(/\r?\n$/, random.pick(["\r\n ", "\r\n\t", " ", ""]));
      break;
    default: // a body as chunks of its own size
      lines[at] = line.replace(/^[a-z]{2,9}\r?\n$/, (data) => `${(data.length - 2).toString(16)}\r\n${data}`);
  }
  return lines.join("");
}
