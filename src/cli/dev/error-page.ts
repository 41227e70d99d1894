/**
 * What a browser sees when a handler has failed, as long as the program is being worked on: the error, the author's
 * lines around it, the stack and its causes.
 *
 * For browsers (Accept names text/html) on this machine or in its network that reached this server themselves: what
 * came from elsewhere, or through a proxy or a tunnel, may be anybody's, and gets the plain 500.
 */
import { HeadFields } from "../../fetch/head.ts";
import type { Exchange } from "../../http/exchange.ts";
import { parseRanges } from "../../net/trust.ts";
import { stackOf } from "../errors.ts";
import { shownName } from "../names.ts";
import { authorPlace, codeAround, isAuthors, placeOfFrame } from "./code-frame.ts";

const MOST_CAUSES = 5;
const near = parseRanges(["loopback", "private", "linklocal", "unix"], "near");

export function errorPage(error: unknown, exchange: Exchange): Response | undefined {
  const fields = new HeadFields(exchange.head, exchange.fieldsStart);
  if (!/\btext\/html\b/i.test(fields.get("accept") ?? "")) return undefined;
  if (!near.hasPeer(exchange.peerAddress)) return undefined;
  if (["forwarded", "x-forwarded-for", "via"].some((name) => fields.get(name) !== null)) return undefined;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    // Whatever the error says of itself stays text.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  };
  return new Response(pageOf(error, `${exchange.method} ${exchange.target}`), { status: 500, headers });
}

/** `request`: the line above it. */
export function pageOf(error: unknown, request: string): string {
  const parts: string[] = [];
  let cause: unknown = error;
  for (let i = 0; i < MOST_CAUSES && cause !== undefined; i++) {
    parts.push(errorPart(cause, i > 0));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(titleOf(error))}</title>
<style>${STYLE}</style></head><body><main>
<p class="request">500 · ${escaped(request.slice(0, 500))}</p>
${parts.join("\n")}
<p class="note">Only <code>slipway run</code> at a terminal shows this page, to browsers on their own way here. In production, and with
<code>--no-dev</code>, this answer is “Internal Server Error”.</p>
</main></body></html>
`;
}

function errorPart(error: unknown, isCause: boolean): string {
  const stack = error instanceof Error ? stackText(error) : "";
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const place = authorPlace(stack);
  const code = place === undefined ? [] : codeAround(place, 4, 4);
  const lines = code.map(({ number, text, meant }) => {
    const line = `<b>${String(number).padStart(5)}</b> ${escaped(text)}`;
    return meant ? `<mark>${line}</mark>` : line;
  });
  const where =
    place === undefined ? "" : `<p class="where">${escaped(shownName(place.file))}:${place.line}:${place.column}</p>`;
  return `<section>${isCause ? "<p>Caused by</p>" : ""}<h1>${escaped(titleOf(error))}</h1>
${code.length === 0 ? "" : `${where}<pre class="code">${lines.join("\n")}</pre>`}
${frames.length === 0 ? "" : `<pre class="stack">${frames.map(frameLine).join("\n")}</pre>`}</section>`;
}

/** What is not the author's stands back. */
function frameLine(frame: string): string {
  const place = placeOfFrame(frame);
  const text = escaped(frame.trim());
  return place !== undefined && isAuthors(place.file) ? `<strong>${text}</strong>` : `<span>${text}</span>`;
}

/** A getter of the program's own may throw. */
function stackText(error: Error): string {
  try {
    return String(error.stack);
  } catch {
    return "";
  }
}

function titleOf(error: unknown): string {
  try {
    if (error instanceof Error) return `${error.name}: ${error.message}`.slice(0, 2000);
  } catch {}
  return stackOf(error).slice(0, 2000);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: light-dark(#fff, #16181c); color: light-dark(#1c1e21, #e6e6e6) }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.35rem; color: light-dark(#b3261e, #ff8a80); white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 1rem }
.request, .where, .note { color: light-dark(#5f6368, #9aa0a6); overflow-wrap: anywhere; margin: .3rem 0 }
pre { overflow-x: auto; padding: .8rem; border-radius: .4rem; background: light-dark(#f3f4f6, #1f2329); font: 13px/1.6 ui-monospace, monospace }
pre.code b { font-weight: normal; color: light-dark(#8a8f98, #7d8590) }
pre.stack span { opacity: .55 }
mark { background: light-dark(#ffe1de, #4d2320); color: inherit; display: inline-block; min-width: 100% }
section + section { border-top: 1px solid light-dark(#ddd, #333); padding-top: 1rem }
`;
