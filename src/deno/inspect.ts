/** `Deno.inspect`: Node's printer, which Deno's was written after, with Deno's defaults and Deno's quotes. */

interface InspectOptions {
  colors?: boolean;
  compact?: boolean;
  depth?: number;
  iterableLimit?: number;
  breakLength?: number;
  escapeSequences?: boolean;
  strAbbreviateSize?: number;
  showHidden?: boolean;
  showProxy?: boolean;
  sorted?: boolean;
  trailingComma?: boolean;
  getters?: boolean;
}

const CUSTOM = Symbol.for("Deno.customInspect");

export function inspect(value: unknown, options: InspectOptions = {}): string {
  const util = process.getBuiltinModule("node:util");
  const { depth = 4, iterableLimit = 100, compact = true, escapeSequences = true, strAbbreviateSize, colors } = options;
  const custom = (value as { [CUSTOM]?: unknown } | null | undefined)?.[CUSTOM];
  if (typeof custom === "function") {
    return String(
      custom.call(value, (inner: unknown, own?: InspectOptions) => inspect(inner, { ...options, ...own }), options),
    );
  }
  const { breakLength, showHidden, sorted, getters, trailingComma = false } = options;
  const text = util.inspect(value, {
    ...{ depth, showHidden, sorted, getters },
    ...(breakLength === undefined ? {} : { breakLength }),
    maxArrayLength: iterableLimit,
    ...(strAbbreviateSize === undefined ? {} : { maxStringLength: strAbbreviateSize }),
    compact: compact ? 3 : false,
    // An option that Node hands to custom printers, and takes from them. With `colors` it would take its own.
    stylize: (text: string, style: keyof typeof util.inspect.styles) => {
      const shown = style === "string" ? requoted(text, escapeSequences) : text;
      const codes = colors ? util.inspect.colors[util.inspect.styles[style] as "red"] : undefined;
      const colored = codes === undefined ? shown : `\u001b[${codes[0]}m${shown}\u001b[${codes[1]}m`;
      return trailingComma && style !== "name" ? `${FROM}${colored}${TO}` : colored;
    },
  } as object);
  return trailingComma ? withTrailingCommas(text) : text;
}

/** Around what is a value's own text, in which no bracket is one. They sort before all else, and Node escapes them there. */
const [FROM, TO] = ["\u0001", "\u0002"];
const marked = new RegExp(`${FROM}[^${TO}]*${TO}|([^\\s,[{(])(?=\\n *[\\]})])`, "g");
const markedLast = new RegExp(`${TO}(?=\\n *[\\]})])`, "g");
const marks = new RegExp(`[${FROM}${TO}]`, "g");

/** Node's printer has no comma behind the last of several lines. */
function withTrailingCommas(text: string): string {
  return text
    .replace(marked, (whole, last) => (last === undefined ? whole : `${last},`))
    .replace(markedLast, `${TO},`)
    .replace(marks, "");
}

/** Deno's order is `"`, `'` and the backtick, Node's begins with `'`: the first that the text does not have. */
function requoted(text: string, escapeSequences: boolean): string {
  const quote = text[0];
  if (!/^(["'`])[\s\S]*\1$/.test(text)) return text;
  let inner = text.slice(1, -1).replaceAll(`\\${quote}`, quote);
  if (!escapeSequences) inner = inner.replaceAll(/\\([nrtbfv\\])/g, (_, letter) => escapes[letter as "n"]);
  const chosen = ['"', "'", "`"].find((one) => !inner.includes(one)) ?? '"';
  return `${chosen}${inner.replaceAll(chosen, `\\${chosen}`)}${chosen}`;
}

const escapes = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", "\\": "\\" };
