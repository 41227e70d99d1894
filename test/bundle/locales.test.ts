// time limit: 120 s
/** `compile --locales`: executables with some languages' data, and what the rest falls back to. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LocalesError, parseLocales, withLocales } from "../../src/bundle/locales.ts";
import { slipwayBinary } from "../support/binary.ts";
import { run } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("compile --locales");
const slipway = await slipwayBinary();

/** Prints one line of JSON: what this runtime makes of a few languages, encodings and texts. */
const program = `
const or = (what: () => unknown) => { try { return what(); } catch (error) { return (error as Error).message; } };
const date = new Date(Date.UTC(2026, 1, 3, 4, 5, 6));
const format = (locale?: string) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long", timeZone: "Asia/Tokyo" }).format(date);
const words = (text: string, locale: string) =>
  [...new Intl.Segmenter(locale, { granularity: "word" }).segment(text)].length;
console.log(JSON.stringify({
  own: format(), en: format("en-GB"), de: format("de-AT"), fr: format("fr"),
  euro: (1234.5).toLocaleString("de", { style: "currency", currency: "EUR" }),
  supported: [Intl.DateTimeFormat, Intl.NumberFormat, Intl.Collator, Intl.DisplayNames, Intl.Segmenter]
    .map((one) => one.supportedLocalesOf(["en", "en-GB", "de", "de-AT", "fr", "ja", "zh-Hant"]).join()),
  plurals: Intl.PluralRules.supportedLocalesOf(["en", "de", "ru"]).concat(new Intl.PluralRules("ru").select(2)),
  counts: ["timeZone", "currency", "calendar", "numberingSystem", "unit"]
    .map((key) => Intl.supportedValuesOf(key as "unit").length),
  zone: new Date(date).toLocaleString("en-US", { timeZone: "Europe/Vienna", timeZoneName: "long" }),
  calendar: new Intl.DateTimeFormat("en-u-ca-islamic-umalqura", { dateStyle: "long" }).format(date),
  words: [words("Hello, big world", "en"), words("\\u543e\\u8f29\\u306f\\u732b\\u3067\\u3042\\u308b", "ja")],
  text: ["e\\u0301\\ufb01".normalize("NFKC"), /^\\p{Script=Greek}+$/u.test("\\u03b1\\u03b2"), "i".toLocaleUpperCase("tr")],
  host: new URL("http://b\\u00fccher.example/").host,
  decoded: ["iso-8859-2", "koi8-r", "windows-1251", "ibm866", "utf-16le"]
    .map((label) => new TextDecoder(label).decode(new Uint8Array([0xe4, 0xb1]))),
  asian: ["shift_jis", "gb18030", "big5", "euc-kr"]
    .map((label) => or(() => new TextDecoder(label).decode(new Uint8Array([0x8c, 0x4a])))),
}));
process.exit();
`;
const folder = project({ "intl.ts": program });

function compile(output: string, ...options: string[]) {
  return run([slipway, "compile", join(folder, "intl.ts"), "-o", join(folder, output), ...options], { cwd: folder });
}

async function shown(output: string, env: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await run([join(folder, output)], { cwd: folder, env });
  assert.is(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const [output, ...options] of [["all"], ["en", "--locales", "en"], ["de", "--locales", "de, ja"]]) {
  const { code, stderr } = await compile(output, ...options);
  assert.is(code, 0, stderr);
}
const all = await shown("all");
const size = (output: string) => statSync(join(folder, output)).size;

test("English alone is 27 MB smaller, and a language takes a few hundred kilobytes", () => {
  assert.ok(size("en") <= 93e6, `${size("en")}`);
  assert.ok(size("de") < size("all") - 18e6, `${size("de")}`);
});

test("what belongs to no language is as it was: zones, calendars, character classes, host names", async () => {
  for (const output of ["en", "de"]) {
    const { zone, calendar, text, host, counts, en, decoded } = await shown(output);
    const { zone: z, calendar: c, text: t, host: h, counts: n, en: e, decoded: d } = all;
    assert.equal(
      { zone, calendar, text, host, counts, en, decoded },
      { zone: z, calendar: c, text: t, host: h, counts: n, en: e, decoded: d },
    );
  }
});

test("a language that is there has all its regions, words and encodings", async () => {
  const { de, euro, words, asian } = await shown("de");
  assert.equal({ de, euro, words, asian }, { de: all.de, euro: all.euro, words: all.words, asian: all.asian });
});

test("supportedLocalesOf names what is there, for every kind", async () => {
  for (const [output, expected] of [
    ["en", "en,en-GB"],
    ["de", "en,en-GB,de,de-AT,ja"],
  ]) {
    const { supported, plurals } = await shown(output);
    for (const one of supported as string[]) assert.is(one, expected);
    assert.equal(plurals, ["en", "de", "ru", "few"], "the rules of plurals are one small table of all languages");
  }
});

test("a language that is missing is English, whether the program asks for it or the machine is set to it", async () => {
  const plain = await shown("en");
  assert.is(plain.de, plain.own);
  assert.match(String(plain.fr), /^Tuesday, February 3, 2026 at /);
  for (const LANG of ["de_DE.UTF-8", "zh_TW.UTF-8", "sr_RS@latin", "nb_NO"]) {
    const { own, fr } = await shown("en", { LANG });
    assert.match(String(own), /^Tuesday, February 3, 2026 at /, LANG);
    assert.is(fr, own);
  }
});

test("an East Asian encoding without its languages is said to be unsupported", async () => {
  const { asian, words } = await shown("en");
  for (const message of asian as string[]) assert.match(message, /^The "\S+" encoding is not supported$/);
  assert.is((words as number[])[0], (all.words as number[])[0]);
});

test("two compiles are the same bytes", async () => {
  assert.is((await compile("again", "--locales", "ja,de,de")).code, 0);
  assert.ok(readFileSync(join(folder, "again")).equals(readFileSync(join(folder, "de"))));
});

test("a mistake in the list is told before anything is done", async () => {
  for (const [list, says] of [
    ["de-AT", "'de-AT': name the language alone, 'de'"],
    ["german", "'german' is no language"],
    ["", "'' is no language"],
    ["en,all", "'all' is no language"],
    ["xq", "'xq': the runtime has no data of this language"],
  ]) {
    const { code, stderr } = await compile("none", "--locales", list);
    assert.is(code, 2, stderr);
    assert.ok(stderr.startsWith(`slipway: --locales: ${says}`), stderr);
  }
  assert.throws(
    () => withLocales(Buffer.from("no program"), ["en"]),
    (error: unknown) => error instanceof LocalesError,
  );
  assert.is(parseLocales("all"), undefined);
});

test.run();
