/**
 * A strict reader of OpenMetrics text 1.0: the grammar of its ABNF, and what the specification says beyond it of names,
 * suffixes, buckets and uniqueness. Throws at the first thing that is not right.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  type: string;
  help: string | undefined;
  unit: string | undefined;
  readonly samples: Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const NUMBER =
  "[+-]?(?:\\d+(?:\\.\\d*)?(?:[eE][+-]?\\d+)?|\\.\\d+(?:[eE][+-]?\\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|[nN][aA][nN]";
const DESCRIPTOR = new RegExp(`^# (TYPE|HELP|UNIT) (${NAME}) (.*)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL}(?:,${LABEL})*)?)\\})? (${NUMBER})(?: (${NUMBER}))?$`);
const ESCAPED = /^(?:[^"\\\n]|\\["\\n])*$/;
/** Which suffixes a type's samples have. */
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  gauge: [""],
  histogram: ["_bucket", "_count", "_sum", "_created"],
  info: ["_info"],
  stateset: [""],
  summary: ["", "_count", "_sum", "_created"],
  unknown: [""],
};

export function parseOpenMetrics(text: string): Map<string, Family> {
  if (!text.endsWith("# EOF\n") && !text.endsWith("# EOF")) throw new Error("the text does not end in # EOF");
  const lines = text.replace(/# EOF\n?$/, "").split("\n");
  if (lines.pop() !== "") throw new Error("# EOF does not stand on a line of its own");
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const [i, line] of lines.entries()) {
    try {
      family = line.startsWith("#") ? readDescriptor(line, family, families) : readSample(line, family);
    } catch (error) {
      throw new Error(`line ${i + 1}: ${(error as Error).message}: ${line}`);
    }
  }
  const names = new Set<string>();
  for (const one of families.values()) check(one, names);
  return families;
}

function readDescriptor(line: string, current: Family | undefined, families: Map<string, Family>): Family {
  const [, kind, name, rest] = DESCRIPTOR.exec(line) ?? fail("no descriptor");
  let family = current;
  if (family === undefined || family.name !== name) {
    if (families.has(name)) fail("families must not be interleaved");
    family = { name, type: "unknown", help: undefined, unit: undefined, samples: [] };
    families.set(name, family);
  }
  if (family.samples.length > 0) fail("a descriptor behind samples");
  if (kind === "TYPE") {
    if (SUFFIXES[rest] === undefined) fail("no such type");
    if (family.type !== "unknown") fail("a second TYPE");
    family.type = rest;
  } else if (kind === "HELP") {
    if (family.help !== undefined) fail("a second HELP");
    if (!ESCAPED.test(rest)) fail("HELP is not escaped");
    family.help = rest;
  } else {
    if (family.unit !== undefined) fail("a second UNIT");
    if (rest !== "" && !name.endsWith(`_${rest}`)) fail("the name does not end in its unit");
    family.unit = rest;
  }
  return family;
}

function readSample(line: string, family: Family | undefined): Family {
  const [, name, text = "", number] = SAMPLE.exec(line) ?? fail("no sample");
  if (family === undefined) fail("a sample without a family");
  const suffix = name.startsWith(family.name) ? name.slice(family.name.length) : undefined;
  if (suffix === undefined || !SUFFIXES[family.type].includes(suffix))
    fail(`no sample of ${family.type} ${family.name}`);
  const labels: Record<string, string> = {};
  for (const [label] of text.matchAll(new RegExp(LABEL, "g"))) {
    const equals = label.indexOf("=");
    const key = label.slice(0, equals);
    if (key in labels) fail(`label ${key} twice`);
    labels[key] = label.slice(equals + 2, -1).replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
  }
  family.samples.push({ name, labels, value: numberOf(number) });
  return family;
}

function numberOf(number: string): number {
  const infinity = /^([+-]?)inf/i.exec(number);
  if (infinity !== null) return infinity[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(number);
}

function check({ name, type, samples }: Family, names: Set<string>): void {
  if (/_(?:total|created|bucket|count|sum|info)$/.test(name)) fail(`${name} ends like a sample`);
  for (const suffix of SUFFIXES[type]) {
    if (names.has(name + suffix)) fail(`${name + suffix} is in two families`);
    names.add(name + suffix);
  }
  const seen = new Set<string>();
  for (const { name: sample, labels, value } of samples) {
    const key = `${sample} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) fail(`${key} twice`);
    seen.add(key);
    if (type === "counter" && !(value >= 0)) fail(`${sample} is a counter of ${value}`);
    if (type === "info" && value !== 1) fail(`${sample} is an info of ${value}`);
  }
  if (type === "histogram") checkBuckets(name, samples);
}

function checkBuckets(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  let bound = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const { labels, value } of buckets) {
    if (!/^(?:\+Inf|\d+\.\d+|\d(?:\.\d+)?e[+-]\d+)$/.test(labels.le ?? "")) fail(`${name} has le="${labels.le}"`);
    const next = numberOf(labels.le);
    if (!(next > bound)) fail(`${name}: bucket ${labels.le} out of order`);
    if (!(value >= count)) fail(`${name}: bucket ${labels.le} counts less than the one before`);
    [bound, count] = [next, value];
  }
  if (bound !== Number.POSITIVE_INFINITY) fail(`${name} has no bucket +Inf`);
  const total = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (total !== count) fail(`${name}: count ${total} is not that of bucket +Inf, ${count}`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) fail(`${name} has no sum`);
}

function fail(what: string): never {
  throw new Error(what);
}

/** The value of one sample; throws when there is none. */
export function valueIn(
  families: Map<string, Family>,
  sample: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  for (const family of families.values()) {
    for (const one of family.samples) {
      const same = Object.entries(labels).every(([key, value]) => one.labels[key] === value);
      if (one.name === sample && same) return one.value;
    }
  }
  throw new Error(`no ${sample} ${JSON.stringify(labels)}`);
}
