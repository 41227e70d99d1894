/**
 * A source map that knows lines only: of what one line of ours became, the beginning (ECMA-426). A trace of our own code
 * says the right line then, and where that begins; and the map, which every compiled server carries, is a quarter of the
 * size.
 */

interface SourceMap {
  readonly mappings: string;
  readonly names: readonly string[];
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const MORE = 32;

/** Generated column, source, line, column, name: all but the first may be missing, each is what it differs by. */
type Segment = number[];

export function linesOnly(text: string): string {
  const map = JSON.parse(text) as SourceMap;
  // What a segment's numbers differ from: the segment's before, and before ours that was kept.
  let [source, line, column] = [0, 0, 0];
  let [keptSource, keptLine, keptColumn] = [0, 0, 0];
  const mappings = map.mappings.split(";").map((generatedLine) => {
    let [at, keptAt] = [0, 0];
    let [lastSource, lastLine] = [-1, -1];
    const kept: string[] = [];
    for (const segment of generatedLine === "" ? [] : generatedLine.split(",").map(decode)) {
      at += segment[0];
      if (segment.length < 4) continue;
      source += segment[1];
      line += segment[2];
      column += segment[3];
      if (source === lastSource && line === lastLine) continue;
      kept.push(encode([at - keptAt, source - keptSource, line - keptLine, column - keptColumn]));
      [keptAt, keptSource, keptLine, keptColumn] = [at, source, line, column];
      [lastSource, lastLine] = [source, line];
    }
    return kept.join(",");
  });
  return JSON.stringify({ ...map, names: [], mappings: mappings.join(";") });
}

/** Five bits a digit, the lowest first; the lowest of all is the sign. */
function decode(text: string): Segment {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const char of text) {
    const digit = DIGITS.indexOf(char);
    value += (digit & (MORE - 1)) << shift;
    shift += 5;
    if ((digit & MORE) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}

function encode(segment: Segment): string {
  let text = "";
  for (const number of segment) {
    let rest = number < 0 ? (-number << 1) | 1 : number << 1;
    do {
      const digit = rest & (MORE - 1);
      rest >>>= 5;
      text += DIGITS[rest > 0 ? digit | MORE : digit];
    } while (rest > 0);
  }
  return text;
}
