/**
 * Strict-Transport-Security (RFC 6797, 6.1): for so long clients ask this host by https only. As people write it:
 * "180d", "1y includeSubDomains", "2y includeSubDomains preload".
 */
import { TlsConfigError } from "./identity.ts";

const SECONDS_A_DAY = 86_400;
const DAYS_A_YEAR = 365;

/** The field's value. Throws one sentence for what is none. */
export function readHsts(text: unknown): string {
  const [time = "", ...words] = typeof text === "string" ? text.trim().split(/[;,\s]+/) : [];
  const [, count, unit] = /^(\d{1,4})([dy])$/.exec(time) ?? [];
  const days = Number(count) * (unit === "y" ? DAYS_A_YEAR : 1);
  const known = new Set(words.map((word) => word.toLowerCase()));
  const whole = known.delete("includesubdomains");
  const preload = known.delete("preload");
  if (!(days >= 1 && days <= 10 * DAYS_A_YEAR) || known.size > 0) {
    throw new TlsConfigError(
      `TLS: hsts must be days or years, like "180d" or "1y includeSubDomains", not ${JSON.stringify(text)}`,
    );
  }
  // What browsers' list asks for (hstspreload.org).
  if (preload && (!whole || days < DAYS_A_YEAR)) {
    throw new TlsConfigError("TLS: hsts with preload needs includeSubDomains, and a year at least");
  }
  return `max-age=${days * SECONDS_A_DAY}${whole ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`;
}
