/** The `limits` hook: what a request may have for itself, decided by its head, before its body is read. */
import { requestFrom } from "../fetch/mod.ts";
import type { Exchange } from "./exchange.ts";

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
}
