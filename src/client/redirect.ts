/** What a redirect makes of a request: https://fetch.spec.whatwg.org/#http-redirect-fetch. */
import { type LightBody, takeUser } from "../fetch/mod.ts";
import { fetchFailed } from "./errors.ts";

/** A request, as far as redirects are concerned. */
export interface Step {
  readonly method: string;
  readonly url: string;
  readonly fields: readonly string[];
  readonly body: LightBody;
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** What described a body that is not sent again, and what was meant for the first server alone. */
const OF_BODY = new Set(["content-encoding", "content-language", "content-location", "content-type", "content-length"]);
const FOR_ORIGIN = new Set(["authorization", "proxy-authorization", "cookie", "host"]);

/** The next request. Throws a TypeError where there must not be one. */
export function follow(before: Step, status: number, location: string): Step {
  const from = new URL(before.url);
  const url = URL.parse(asUtf8(location), from);
  if (url === null) {
    throw fetchFailed(before.url, `the server redirects to ${JSON.stringify(location)}, which is not a URL`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw fetchFailed(
      before.url,
      `the server redirects to a URL of ${url.protocol.slice(0, -1)}, not of http or https`,
    );
  }
  const same = url.origin === from.origin;
  let { method, fields, body } = before;
  const named = url.username !== "" || url.password !== "";
  if (named && !same) {
    throw fetchFailed(before.url, "the server redirects to another one with a user name or password in the URL");
  }
  if (status !== 303 && body instanceof ReadableStream) {
    throw fetchFailed(before.url, "the server redirects a request whose body was a stream, which can't be sent again");
  }
  if (status === 303 ? method !== "GET" && method !== "HEAD" : method === "POST" && status < 303) {
    method = "GET";
    body = null;
    fields = without(fields, OF_BODY);
  }
  if (!same) fields = without(fields, FOR_ORIGIN);
  if (named) {
    fields = [...without(fields, FOR_ORIGIN), "authorization", takeUser(url) ?? ""];
  }
  url.hash = "";
  return { method, url: url.href, fields, body };
}

/** Location is ASCII by the grammar, and UTF-8 where servers don't keep to it. */
function asUtf8(location: string): string {
  return /[\x80-\xff]/.test(location) ? Buffer.from(location, "latin1").toString() : location;
}

function without(fields: readonly string[], names: ReadonlySet<string>): readonly string[] {
  return fields.filter((_, i) => !names.has(fields[i - (i % 2)]));
}
