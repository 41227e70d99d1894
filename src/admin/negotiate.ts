/** Which of several forms of an answer a client would rather have (RFC 9110, 12.5.1), for the few that we have. */

/** The form of `types` with the highest weight in `accept`, the first of them when there is no difference. */
export function preferred<T extends string>(accept: string | null, types: readonly T[]): T {
  if (accept === null) return types[0];
  const ranges = accept.split(",", 32).map(parseRange);
  let best = types[0];
  let bestWeight = 0;
  for (const type of types) {
    const weight = weightOf(type, ranges);
    if (weight > bestWeight) [best, bestWeight] = [type, weight];
  }
  return best;
}

interface Range {
  readonly type: string;
  readonly weight: number;
}

function parseRange(text: string): Range {
  const [type, ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith("q="));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 };
}

/** The most exact range that names the type counts. */
function weightOf(type: string, ranges: readonly Range[]): number {
  for (const range of [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"]) {
    const found = ranges.find((one) => one.type === range);
    if (found !== undefined) return found.weight;
  }
  return 0;
}
