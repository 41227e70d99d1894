/**
 * An executable with fewer languages: ICU's package in it is replaced by a smaller one (icu.ts), and the pages that come
 * free are taken out of the file. Where they were, the running program has a hole that nothing points to.
 */
import { removeFromElf } from "./elf.ts";
import { findIcu, icuLanguages, reduceIcu } from "./icu.ts";

/**
 * Whole huge pages are taken out, so that what lies behind keeps its alignment: where a file system keeps large pages
 * (ext4 from Linux 6.16 on), the kernel then maps 2 MB at a time, and a start has some 400 page faults fewer.
 */
const GRANULE = 2 << 20;

/** English is what everything falls back to. */
const ALWAYS = "en";

/** Languages whose data stands under another's name too: what Norwegian and Serbo-Croatian locales inherit from. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  nb: ["no"],
  nn: ["no"],
  no: ["nb"],
  he: ["iw"],
  id: ["in"],
  fil: ["tl"],
  ro: ["mo"],
  sr: ["sh"],
};

/** What is wrong with the languages that were asked for, in one sentence. */
export class LocalesError extends Error {}

/** `de,fr` → the languages; throws a LocalesError. `all`, which stands for the full set, is undefined. */
export function parseLocales(list: string): readonly string[] | undefined {
  const words = list.split(",").map((word) => word.trim());
  if (words.length === 1 && words[0] === "all") return undefined;
  for (const word of words) {
    if (/^[a-z]{2,3}$/.test(word) && word !== "all") continue;
    const language = /^([A-Za-z]{2,3})(?:[-_]\w+)+$/.exec(word)?.[1]?.toLowerCase();
    throw new LocalesError(
      language !== undefined
        ? `'${word}': name the language alone, '${language}': all its regions and scripts come with it`
        : `'${word}' is no language: name some as in BCP 47, such as en,de,zh, or all`,
    );
  }
  return words;
}

/**
 * The program with the data of these languages and English; throws a LocalesError. It takes the bytes over: a copy would be
 * another 119 MB.
 */
export function withLocales(program: Buffer, languages: readonly string[]): Buffer {
  const found = findIcu(program);
  if (found === undefined) throw new LocalesError("the runtime has no data of languages that could be left out");
  const data = program.subarray(found.start, found.end);
  const known = icuLanguages(data);
  const unknown = languages.find((language) => !known.has(language));
  if (unknown !== undefined) throw new LocalesError(`'${unknown}': the runtime has no data of this language`);
  const wanted = [ALWAYS, ...languages];
  const reduced = reduceIcu(data, new Set([...wanted, ...wanted.flatMap((language) => TOGETHER[language] ?? [])]));
  if (reduced.length > data.length) return program;
  data.fill(0);
  reduced.copy(data);
  const from = Math.ceil((found.start + reduced.length) / 4096) * 4096;
  const length = Math.floor((found.end - from) / GRANULE) * GRANULE;
  return length <= 0 ? program : removeFromElf(program, from, length);
}
