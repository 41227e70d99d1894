/** Says once a day that a certificate runs out, for whoever reads the log and no metrics: nobody renews it, or in vain. */
import { logLine } from "../runtime/log.ts";
import type { TlsContext } from "../tls/context.ts";
import { speaksForAll } from "./tls-files.ts";

const DAY_MS = 86_400_000;
/** Whoever renews by himself does so with a third of its time left; with a tenth it is late. */
const LATE = 0.1;
const MOST_DAYS = 30;
/** Not in the way of the start. */
const FIRST_MS = 1000;
const WATCHED = "slipway certificates watched";

export function watchExpiry(context: TlsContext): void {
  if (!speaksForAll(WATCHED)) return;
  const look = (): void => {
    for (const line of expiring(context)) logLine(line);
  };
  setTimeout(look, FIRST_MS).unref();
  setInterval(look, DAY_MS).unref();
}

export function expiring(context: TlsContext, now: number = Date.now()): string[] {
  return context.certificates().flatMap(({ name, validFrom, validTo }) => {
    const [from = "", until = ""] = [validFrom, validTo].map((at) =>
      new Date(at).toISOString().replace(/:\d\d\.000Z$/, "Z"),
    );
    const left = validTo - now;
    if (left < 0) return `the certificate for ${name} has run out: it was valid until ${until}`;
    if (validFrom > now) return `the certificate for ${name} is not valid yet, not before ${from}; is the clock right?`;
    return left < Math.min(MOST_DAYS * DAY_MS, (validTo - validFrom) * LATE)
      ? `the certificate for ${name} runs out: it is valid until ${until}`
      : [];
  });
}
