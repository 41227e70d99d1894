/** `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/, 3.2): read for the log, never changed. */

export interface TraceContext {
  readonly traceId: string;
  /** The caller's span. */
  readonly parentId: string;
  readonly sampled: boolean;
}

/** Version 00 is exactly this long; a later one may say more behind it. */
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/;
const MOST = 512;

/** What the field says, or undefined when it is not valid, which means as if it had not been sent. */
export function parseTraceparent(value: string | null): TraceContext | undefined {
  if (value === null || value.length > MOST) return undefined;
  const match = FORM.exec(value);
  if (match === null) return undefined;
  const [, version, traceId, parentId, flags, more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
