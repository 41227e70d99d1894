/** Accept-Encoding (RFC 9110, 12.5.3): which coding a client is to be answered in. */

/** What we can encode, what we would rather first: by CPU per byte saved (docs/compression.md). */
export const CODINGS = ["zstd", "br", "gzip"] as const;
export type Coding = (typeof CODINGS)[number];

export interface Choice {
  /** Undefined: as it is. */
  readonly coding: Coding | undefined;
  /** As it is would be wrong: `identity;q=0`, or `*;q=0` without a word on identity. */
  readonly must: boolean;
}

const AS_IT_IS: Choice = { coding: undefined, must: false };
/** What `*` is taken for, where it may be anything: who says no more than that is likeliest to know gzip. */
const BY_STAR: readonly Coding[] = ["gzip", "br", "zstd"];
/** Browsers say one of a few things. */
const KEPT = 64;
const LONGEST = 256;
/** By what a server encodes in: there are two such lists. */
const known = new Map<readonly Coding[], Map<string, Choice>>();

export function choose(header: string | null, codings: readonly Coding[] = CODINGS): Choice {
  // "Any coding is acceptable" to who says nothing; but those are mostly programs that can't decode any.
  if (header === null || header === "") return AS_IT_IS;
  let choices = known.get(codings);
  if (choices === undefined) {
    choices = new Map();
    known.set(codings, choices);
  }
  const found = choices.get(header);
  if (found !== undefined) return found;
  const choice = read(header, codings);
  if (header.length > LONGEST) return choice;
  if (choices.size >= KEPT) choices.clear();
  choices.set(header, choice);
  return choice;
}

/** What a client accepts of CODINGS, what it likes best first, and of what it likes equally ours: to be looked for in turn. */
export function codingsFor(header: string | null): Coding[] {
  if (header === null || header === "") return [];
  const weights = weightsIn(header);
  const weight = (one: Coding): number =>
    weights.get(one) ?? (one === "gzip" ? weights.get("x-gzip") : undefined) ?? weights.get("*") ?? 0;
  const least = weights.get("identity") ?? 0;
  const accepted = CODINGS.filter((one) => weight(one) > 0 && weight(one) >= least);
  return accepted.sort((a, b) => weight(b) - weight(a));
}

function read(header: string, codings: readonly Coding[]): Choice {
  const weights = weightsIn(header);
  const star = weights.get("*");
  const identity = weights.get("identity");
  let coding: Coding | undefined;
  let best = 0;
  for (const one of codings) {
    const weight = weights.get(one) ?? (one === "gzip" ? weights.get("x-gzip") : undefined) ?? 0;
    if (weight > best) [coding, best] = [one, weight];
  }
  if (star !== undefined && star > best) {
    const any = BY_STAR.find(
      (one) => codings.includes(one) && !weights.has(one) && !(one === "gzip" && weights.has("x-gzip")),
    );
    if (any !== undefined) [coding, best] = [any, star];
  }
  const must = coding !== undefined && (identity ?? star) === 0;
  // The client's order goes before ours, also where it likes best what nobody has touched.
  if (identity !== undefined && identity > best) return AS_IT_IS;
  return coding === undefined ? AS_IT_IS : { coding, must };
}

/** RFC 9110, 12.4.2: a weight of 0 to 1 with at most three decimals, 1 where there is none. Names ignore case. */
const MEMBER = /^([!#$%&'*+\-.^_`|~0-9a-z]+)(?:[\t ]*;[\t ]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/;

/** What can't be read is not acceptable, whatever it was to be. */
function weightsIn(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of header.toLowerCase().split(",")) {
    const match = MEMBER.exec(member.trim());
    if (match === null) continue;
    const weight = match[2] === undefined ? 1 : Number(match[2]);
    // Said twice: what was said first holds, so that nobody can add to it from behind.
    if (!weights.has(match[1])) weights.set(match[1], weight);
  }
  return weights;
}
