/**
 * ICU's data inside Node, made smaller: the package of formats, names and rules of some 240 languages is a quarter of
 * an executable. What is here takes such a package (icu4c, `ucmndata.h`: a table of names and offsets, then the items)
 * and makes one that holds only some languages' items, in the same layout; `locales.ts` puts it into a program.
 *
 *     header · count u32 · (name offset u32, item offset u32) × count · names, sorted · items, each at a multiple of 16
 */

/** Where a package lies in a program. */
export interface IcuPackage {
  readonly start: number;
  readonly end: number;
}

interface Item {
  /** Without the package's name: `de.res`, `coll/root.res`. */
  readonly path: string;
  readonly name: string;
  readonly bytes: Buffer;
}

/** "CmnD": what kind of data the header says it is. */
const COMMON_DATA = "CmnD";
/** In the header, its own length (u16) and two magic bytes stand before the rest of it. */
const MAGIC = [0xda, 0x27] as const;
const KIND_AT = 12;

/** The package in a program's bytes; undefined where there is none, as in a Node built without it. */
export function findIcu(program: Buffer): IcuPackage | undefined {
  for (
    let at = program.indexOf(COMMON_DATA, 0, "latin1");
    at >= 0;
    at = program.indexOf(COMMON_DATA, at + 1, "latin1")
  ) {
    const start = at - KIND_AT;
    if (start < 0 || program[start + 2] !== MAGIC[0] || program[start + 3] !== MAGIC[1]) continue;
    const data = program.subarray(start);
    const header = data.readUInt16LE(0);
    const last = entry(data, header, data.readUInt32LE(header) - 1);
    // Nothing says where the last item ends but itself: it is a locale's bundle, since names are sorted.
    if (!last.name.endsWith(".res")) return undefined;
    return { start, end: start + last.offset + bundleLength(data.subarray(last.offset)) };
  }
  return undefined;
}

/** The languages that a package has data of, as it writes them: `de`, `zh`, `fil`. */
export function icuLanguages(data: Buffer): Set<string> {
  const languages = new Set<string>();
  for (const { path } of items(data)) {
    const language = /^([a-z]{2,3})\.res$/.exec(path)?.[1];
    if (language !== undefined) languages.add(language);
  }
  return languages;
}

/**
 * The same package with the data of these languages alone, which English must be one of, and what all of them stand on.
 * The others' bundles become another name for English: what a machine of such a language (LANG=de_DE) would show else
 * is the root's, "2026 M02 3".
 */
export function reduceIcu(data: Buffer, languages: ReadonlySet<string>): Buffer {
  const all = items(data);
  const english = englishInstead(all);
  const kept = all.flatMap((item) => {
    if (isKept(item, languages)) return [item];
    return OF_A_LANGUAGE.test(item.path) ? [{ ...item, bytes: english }] : [];
  });
  const header = data.readUInt16LE(0);
  const names = Buffer.from(kept.map(({ name }) => `${name}\0`).join(""), "latin1");
  const namesAt = 4 + 8 * kept.length;
  const table = Buffer.alloc(aligned(namesAt + names.length));
  table.writeUInt32LE(kept.length, 0);
  names.copy(table, namesAt);
  const pieces: Uint8Array[] = [data.subarray(0, header), table];
  let nameAt = namesAt;
  let itemAt = table.length;
  for (const [index, { name, path, bytes }] of kept.entries()) {
    table.writeUInt32LE(nameAt, 4 + 8 * index);
    table.writeUInt32LE(itemAt, 8 + 8 * index);
    const content = path.endsWith(INDEX) ? reduceIndex(bytes, languages) : bytes;
    const padding = aligned(content.length) - content.length;
    pieces.push(content, Buffer.alloc(padding));
    nameAt += name.length + 1;
    itemAt += content.length + padding;
  }
  return Buffer.concat(pieces);
}

/** A language's own bundle (`zh.res`, `zh_Hant.res`), in the trees where English has one too: for the others the root's rules do. */
const OF_A_LANGUAGE = /^(?:(?:curr|lang|region|unit|zone)\/)?[a-z]{2,3}(?:_[A-Z][a-z]{3})?\.res$/;

/**
 * A bundle that says "see en". There is one that says "see he", since Hebrew was once `iw`, and that brings its keys along;
 * the text in it is UTF-16.
 */
function englishInstead(all: readonly Item[]): Buffer {
  const bundle = Buffer.from(all.find(({ path }) => path === "coll/iw.res")?.bytes ?? []);
  const at = bundle.indexOf("he\0", bundle.indexOf("%%ALIAS"), "utf16le");
  if (at < 0) throw new Error("ICU's data is not as expected: iw does not stand for he");
  bundle.write("en", at, "utf16le");
  return bundle;
}

/** Each tree's list of its locales. */
const INDEX = "res_index.res";
/** Languages of whose texts words are found by dictionary, and those that are written in East Asian character sets. */
const DICTIONARIES: Readonly<Record<string, readonly string[]>> = {
  burmese: ["my"],
  cj: ["ja", "zh"],
  khmer: ["km"],
  lao: ["lo"],
  thai: ["th"],
};
const EAST_ASIAN = ["ja", "ko", "zh"];
/** A single-byte character set takes 0.3 to 14 KB, one of tens of thousands of characters 26 and more. */
const SINGLE_BYTE_MOST = 16_384;
/** What no function of JavaScript or Node asks for: transliteration, characters' names, lookalikes, profiles of names. */
const UNUSED = /^translit\/|^unames\.icu$|^confusables\.cfu$|\.spp$/;

function isKept({ path, bytes }: Item, languages: ReadonlySet<string>): boolean {
  if (UNUSED.test(path)) return false;
  const has = (wanted: readonly string[]) => wanted.some((language) => languages.has(language));
  const [, file = path] = /^(?:[a-z]+\/)?(.*)$/.exec(path) ?? [];
  const dictionary = /^([a-z]+)dict\.dict$/.exec(file)?.[1];
  if (dictionary !== undefined) return has(DICTIONARIES[dictionary] ?? []);
  if (/_cj\.brk$/.test(file)) return has(EAST_ASIAN);
  if (file.endsWith(".cnv")) return bytes.length <= SINGLE_BYTE_MOST || has(EAST_ASIAN);
  // `de.res`, `de_AT.res`; not `root.res`, `pool.res`, `plurals.res`.
  const language = /^([a-z]{2,3})(?:_\w+)?\.res$/.exec(file)?.[1];
  return language === undefined || file === INDEX || languages.has(language);
}

/**
 * The list without the locales that are missing: `supportedLocalesOf` answers out of it. They go from its tables in
 * place, so that nothing else in the bundle moves (icu4c, `uresdata.h`).
 */
function reduceIndex(item: Buffer, languages: ReadonlySet<string>): Buffer {
  const bytes = Buffer.from(item);
  const bundle = bytes.subarray(bytes.readUInt16LE(0));
  const rootTable = table(bundle, bundle.readUInt32LE(0));
  for (let index = 0; index < (rootTable?.count ?? 0); index++) {
    const inner = rootTable && table(bundle, rootTable.item(index));
    inner?.keep((key) => languages.has(key.split("_", 1)[0]));
  }
  return bytes;
}

const TABLE = 2;
const TABLE16 = 5;

/** A table of a bundle: count u16, keys u16 × count, then items: u32 each from a multiple of 4, or u16 in the other kind. */
function table(bundle: Buffer, resource: number) {
  const type = resource >>> 28;
  if (type !== TABLE && type !== TABLE16) return undefined;
  const offset = resource & 0x0fff_ffff;
  // An empty one is nowhere.
  if (type === TABLE && offset === 0) return undefined;
  // Those of 16 bits lie behind the keys, and are counted from there.
  const at = type === TABLE ? offset * 4 : bundle.readUInt32LE(8) * 4 + offset * 2;
  const keys = at + 2;
  const itemsAt = (count: number) => (type === TABLE ? Math.ceil((keys + 2 * count) / 4) * 4 : keys + 2 * count);
  const count = bundle.readUInt16LE(at);
  const from = itemsAt(count);
  const size = type === TABLE ? 4 : 2;
  return {
    count,
    item: (index: number) => (type === TABLE ? bundle.readUInt32LE(from + 4 * index) : 0),
    keep(wanted: (key: string) => boolean): void {
      const left = [];
      for (let index = 0; index < count; index++) {
        const key = bundle.readUInt16LE(keys + 2 * index);
        if (!wanted(text(bundle, key))) continue;
        const start = from + size * index;
        left.push({ key, value: Buffer.from(bundle.subarray(start, start + size)) });
      }
      bundle.fill(0, at, from + size * count);
      bundle.writeUInt16LE(left.length, at);
      const to = itemsAt(left.length);
      for (const [index, { key, value }] of left.entries()) {
        bundle.writeUInt16LE(key, keys + 2 * index);
        value.copy(bundle, to + size * index);
      }
    },
  };
}

/** A bundle says in its fourth index, in words, how long it is without the header. */
function bundleLength(item: Buffer): number {
  const header = item.readUInt16LE(0);
  return header + 4 * item.readUInt32LE(header + 16);
}

function items(data: Buffer): Item[] {
  const header = data.readUInt16LE(0);
  const count = data.readUInt32LE(header);
  const entries = Array.from({ length: count }, (_, index) => entry(data, header, index));
  return entries.map(({ name, offset }, index) => ({
    name,
    path: name.slice(name.indexOf("/") + 1),
    bytes: data.subarray(offset, entries[index + 1]?.offset ?? data.length),
  }));
}

/** An entry of the table; the offset is from the package's first byte. */
function entry(data: Buffer, header: number, index: number): { name: string; offset: number } {
  const name = text(data, header + data.readUInt32LE(header + 4 + 8 * index));
  return { name, offset: header + data.readUInt32LE(header + 8 + 8 * index) };
}

function text(bytes: Buffer, at: number): string {
  return bytes.toString("latin1", at, bytes.indexOf(0, at));
}

function aligned(length: number): number {
  return Math.ceil(length / 16) * 16;
}
