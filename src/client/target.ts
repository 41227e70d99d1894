/** Where a request goes, taken from its URL once and remembered: programs ask for few URLs, again and again. */

export interface Target {
  /** Without a fragment, as `Response.url` shows it. */
  readonly url: string;
  /** What connections are shared by: `http://host:port`. */
  readonly origin: string;
  /** https: */
  readonly secure: boolean;
  /** For the look-up: an IPv6 address without its brackets. */
  readonly hostname: string;
  readonly port: number;
  /** What Host says. */
  readonly host: string;
  readonly path: string;
  /** The whole request, where it is a GET with nothing else to say. */
  get: Uint8Array<ArrayBuffer> | undefined;
}

const KEPT = 256;
const LONGEST = 1024;
const known = new Map<string, Target>();

/** Throws a TypeError for what is no http: or https: URL, and for a port where something else than HTTP is at home. */
export function targetOf(url: string): Target {
  const found = known.get(url);
  if (found !== undefined) return found;
  const target = parse(url);
  if (url.length > LONGEST) return target;
  if (known.size >= KEPT) known.clear();
  known.set(url, target);
  return target;
}

function parse(text: string): Target {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError(`fetch failed: ${JSON.stringify(text)} is not an http: or https: URL`);
  }
  url.hash = "";
  const { hostname, host, origin, pathname, search } = url;
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  if (BLOCKED.has(port)) throw new TypeError(`Fetch failed: Requests to port ${port} are blocked`);
  return {
    url: url.href,
    origin,
    secure,
    hostname: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
    port,
    host,
    path: pathname + search,
    get: undefined,
  };
}

/** https://fetch.spec.whatwg.org/#port-blocking: a URL from outside must not make us talk SMTP. */
const BLOCKED = new Set([
  ...[0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109],
  ...[110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530],
  ...[531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190],
  ...[5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);
