/** Conditional requests (RFC 9110, 13): what a client has already, or insists on. */

/** What tells one version of a file from another. */
export interface Validators {
  readonly etag: string;
  /** Whole seconds since 1970; undefined where it is not known. */
  readonly modified: number | undefined;
}

/** In the order of 13.2.2: 412, 304, or undefined for an answer as if nothing had been said. */
export function precondition(headers: Headers, { etag, modified }: Validators): 304 | 412 | undefined {
  const match = headers.get("if-match");
  if (match !== null) {
    if (!listed(match, etag, true)) return 412;
  } else if (modified !== undefined) {
    const since = readDate(headers.get("if-unmodified-since"));
    if (since !== undefined && modified > since) return 412;
  }
  const none = headers.get("if-none-match");
  if (none !== null) return listed(none, etag, false) ? 304 : undefined;
  if (modified === undefined) return undefined;
  const since = readDate(headers.get("if-modified-since"));
  return since !== undefined && modified <= since ? 304 : undefined;
}

/** 13.1.5: whether the part that was asked for continues what the client has. */
export function rangeHolds(headers: Headers, { etag, modified }: Validators): boolean {
  const condition = headers.get("if-range");
  if (condition === null) return true;
  if (condition.startsWith('"')) return condition === etag;
  // A weak validator never holds. A date does only if nothing can have changed within its second, as for strong ETags.
  if (condition.startsWith("W/") || etag.startsWith("W/")) return false;
  return modified !== undefined && readDate(condition) === modified;
}

const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

function listed(field: string, etag: string, strongly: boolean): boolean {
  if (field.trim() === "*") return true;
  const tags: readonly string[] = field.match(ENTITY_TAG) ?? [];
  if (strongly) return !etag.startsWith("W/") && tags.includes(etag);
  const opaque = etag.replace(/^W\//, "");
  return tags.some((one) => one.replace(/^W\//, "") === opaque);
}

/** RFC 9110, 5.6.7: the one form that is written today; what is no date is as if it were not there. */
const DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;
/** The two old ones, which recipients have to read as well. */
const OLD_DATE =
  /^(?:[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

function readDate(field: string | null): number | undefined {
  if (field === null) return undefined;
  const text = DATE.test(field) ? field : OLD_DATE.test(field) ? `${field.replace(/ GMT$/, "")} GMT` : undefined;
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}
