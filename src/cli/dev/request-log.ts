/** A short line for each request, for the person at the terminal: when, method, path, status, milliseconds. */
import type { ExchangeObserver, ExchangeRecord } from "../../http/observer.ts";
import { clientText } from "../../log/client-text.ts";
import { openLog } from "../../log/mod.ts";
import { printableLine } from "../../runtime/printable.ts";
import { type Paint, paintFor, type Style } from "../../terminal/colors.ts";

const MOST_TARGET = 200;

export class RequestLog implements ExchangeObserver {
  readonly #paint = paintFor(2);

  /** None: nothing is added to answers. */
  requestId(): undefined {
    return undefined;
  }

  ended(record: ExchangeRecord): void {
    // The log's own way out, which is never waited for: a terminal may be stopped with Ctrl-S.
    openLog().output.write(requestLine(record, new Date(), this.#paint), true);
  }
}

/** `10:15:02 GET  /orders 200 1.3 ms`. */
export function requestLine(record: ExchangeRecord, now: Date, paint: Paint): string {
  const { method, status, durationMs, aborted } = record;
  const time = now.toTimeString().slice(0, 8);
  const target = printableLine(clientText(record.target, MOST_TARGET));
  const shown = status === 0 ? paint("red", "gone") : paint(styleOf(status), String(status));
  const cut = status !== 0 && aborted ? paint("red", " cut") : "";
  return `${paint("dim", time)} ${paint("bold", method.padEnd(4))} ${target} ${shown}${cut} ${paint("dim", `${shownMs(durationMs)} ms`)}\n`;
}

function styleOf(status: number): Style {
  if (status >= 500) return "red";
  if (status >= 400) return "yellow";
  return status >= 300 || status < 200 ? "cyan" : "green";
}

function shownMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
