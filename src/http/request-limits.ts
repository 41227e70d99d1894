/** The `limits` hook: what a request may have for itself, decided by its head, before its body is read. */
import { requestFrom } from "../fetch/mod.ts";
import { nearest } from "../options/nearest.ts";
import { logLine } from "../runtime/log.ts";
import { shortened } from "../runtime/printable.ts";
import type { Exchange } from "./exchange.ts";
import { defaultLimits } from "./limits.ts";

/** Limits as people write them. */
export interface RequestLimitOptions {
  readTimeout?: number | string;
  writeTimeout?: number | string;
  minRate?: number | string;
  maxBodyBytes?: number | string;
}

/** Given the request without its body; what it leaves out stays as it is for the whole server. */
export type LimitsHook = (request: Request) => RequestLimitOptions | undefined;

const NAMES = ["readTimeout", "writeTimeout", "minRate", "maxBodyBytes"] as const;
/** Names that are none of these, once each; a hook that makes them up is not followed for ever. */
const told = new Set<string>();
const MOST_TOLD = 20;

/** Asks the hook. Throws what it throws, and a TypeError of one sentence for what is no limit. */
export function applyHook(hook: LimitsHook, exchange: Exchange): void {
  const wanted: unknown = hook(requestFrom(exchange));
  if (wanted === undefined || wanted === null) return;
  if (typeof wanted !== "object" || "then" in wanted) {
    throw new TypeError("limits(request) must return an object of limits, or undefined, and no promise of one");
  }
  for (const name of NAMES) {
    const value = (wanted as RequestLimitOptions)[name];
    if (value !== undefined) exchange.setLimit(name, value);
  }
  for (const name in wanted) if (!(NAMES as readonly string[]).includes(name)) tellUnknown(name);
}

/** A limit that is misspelt must not be believed to hold; the request is served, as with any other option. */
function tellUnknown(name: string): void {
  if (told.has(name) || told.size >= MOST_TOLD) return;
  told.add(name);
  const meant = nearest(name, NAMES);
  const whole = Object.hasOwn(defaultLimits, name) ? " but of the whole server" : undefined;
  const hint = whole ?? (meant === undefined ? "" : ` (did you mean ${meant}?)`);
  logLine(
    `limits(request) gave '${shortened(name, 100)}', which is no limit of a request${hint}: it changes nothing; there are ${NAMES.join(", ")}`,
  );
}
