/**
 * Requests to disagree about: a valid one, pipelined or not, in which a few places are replaced by what attackers, old
 * clients and accidents send there; and now and then bytes changed anywhere.
 */
import type { Random } from "./random.ts";

const METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "PROPFIND", "QUERY"];
const ODD_METHODS = ["get", "Get", "G", "GETT", "FOO", "M-SEARCH", "PRI", "CONNECT", "G E T", "", "GET\0", "G@T", "SOURCE", "BREW", "X_Y", "GÉT"]; // biome-ignore format: a list
const TARGETS = ["/", "/a", "/a/b?c=d", "/%20", "/a;b=c", "*", "http://a/", "http://a:80/b?c", "https://a/", "//a", "/?#"]; // biome-ignore format: a list
const ODD_TARGETS = ["", "a", "/a b", "/\0", "/\x7f", "/\xe4", "/#a", "a:80", "http:", "http://", "http:///a", "http://u@a/", "http://a b/", "ftp://a/", "/\t", "?", "#", "*a", "**", "http://[::1]/", "/\\", "/<>\"{}|^`", "/a\r"]; // biome-ignore format: a list
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"];
const ODD_VERSIONS = ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/11.1", "HTTP/01.1", "http/1.1", "HTTP/1.1 ", " HTTP/1.1", "HTTPS/1.1", "HTTP /1.1", "HTTP/1,1", "ICE/1.0", "RTSP/1.0", "", "HTTP/9.9", "HTTP/3.0"]; // biome-ignore format: a list
const HOSTS = ["a", "example.com", "example.com:8080", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080", "a-b.c"];
const ODD_HOSTS = ["", "a:", "a b", "a,b", "a/b", "a@b", "a:b", "a:99999", ":80", "[::1", "::1", "\xe4", "a?b", "a#b", "256.1.1.1", "a\\b", "a\0", "a\tb", "<a>", "%41", "a%", "_", "a:1:2"]; // biome-ignore format: a list
const LENGTHS = ["", "+5", "-1", "0x5", "5, 5", "5,5", "5 5", "5;", "5.0", "05", "000000000000000000005", " 5", "5 ", "\t5", "5\t", "1e1", "18446744073709551616", "18446744073709551615", "9007199254740993", "99999999999999999999", "\x0b5", "5\x00", "\xb2", "5\r", "''", "NaN"]; // biome-ignore format: a list
const CODINGS = ["chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked", "chunked\t", "chunked, chunked", "gzip, chunked", "chunked, gzip", "gzip", "identity", "xchunked", "chunkedx", "chunked;q=1", "\"chunked\"", ",chunked", "chunked,", "chunked, identity", "", "\x0bchunked", "chunked\0", "chun ked", "deflate,chunked", "chunked\x0c", "trailers"]; // biome-ignore format: a list
const CONNECTIONS = ["close", "keep-alive", "Close", "Keep-Alive", "close, keep-alive", "keep-alive, close", "close,close", "TE, close", "x", "", "closed", "keep-alivee", " close ", "close;x", ",close", "te"]; // biome-ignore format: a list
const FIELDS = ["A: b", "X-Long: cccccccccccccccccccccccccccccccc", "Accept: */*", "Cookie: a=b; c=d", "X: ", "X:", "X:b", "X:\tb\t", "X: \xe4\xf6", "x-y_z!#$%&'*+.^`|~: 1", "Trailer: a", "TE: trailers", "Expect: 100-continue", "Upgrade: h2c", "Content-Type: text/plain", "X: a  b"]; // biome-ignore format: a list
const ODD_FIELDS = ["A : b", "A\t: b", " A: b", "\tA: b", "A", ":", ": b", "A b: c", "A(: b", "\xe4: b", "A: b\0c", "A: \x7f", "A: \x01", "A: b\rc", "A: b\nc", "A: b\r\n c", "A: b\r\n\tc", "A: b\r\n ", "A\0: b", "A\r: b", "A: \x1b", "Expect: x", "A:\x0bb", "\"A\": b", "A;: b", "A: b\r\r"]; // biome-ignore format: a list
const LINE_ENDS = ["\n", "\r", "\r\r\n", "\n\r", "", "\r\n\r\n", " \r\n", "\r\n "];
const SIZES = ["0x5", "+5", "-5", " 5", "5 ", "5\t", "", "g", "5;", "5;a", "5;a=b", "5;a=\"b\"", "5;a=\"b\\\"c\"", "5; a", "5 ;a", "5;a;b", "5;\n", "5;a\0", "5;=", "05", "0000000000000005", "00000000000000005", "5\r", "5_", "FFFFFFFFFFFFFFFF", "10000000000000005", "7fffffffffffffff", "5;a=b c", "5;a=\x7f", "5;\xe4", "5;a=\"", "5,", "5;a=\"\x01\""]; // biome-ignore format: a list

/** A connection's bytes: one to three requests. */
export function generate(random: Random): Buffer {
  let text = "";
  const count = random.chance(0.5) ? 1 : 1 + random.below(3);
  for (let i = 0; i < count; i++) text += request(random, random.chance(0.75) ? 0.12 : 0);
  let bytes: Buffer = Buffer.from(text, "latin1");
  if (random.chance(0.25)) bytes = scramble(random, bytes);
  if (random.chance(0.15)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
  return bytes;
}

/** One request; each place is an odd one with probability `odd`. */
function request(random: Random, odd: number): string {
  const either = (usual: readonly string[], strange: readonly string[]): string =>
    random.pick(random.chance(odd) ? strange : usual);
  const lineEnd = (): string => (random.chance(odd / 6) ? random.pick(LINE_ENDS) : "\r\n");
  let text = random.chance(odd / 3) ? random.pick(["\r\n", "\n", "\r\n\r\n", "\r", " "]) : "";
  const space = (): string => (random.chance(odd / 6) ? random.pick(["  ", "\t", "", "\x0b", "\xa0"]) : " ");
  text += either(METHODS, ODD_METHODS) + space() + either(TARGETS, ODD_TARGETS) + space();
  text += either(VERSIONS, ODD_VERSIONS) + lineEnd();

  const lines: string[] = [];
  const add = (line: string): void => {
    lines.splice(random.below(lines.length + 1), 0, line);
  };
  for (let i = random.below(4); i > 0; i--) add(either(FIELDS, ODD_FIELDS));
  if (!random.chance(odd)) add(`${random.pick(["Host", "host", "HOST"])}: ${either(HOSTS, ODD_HOSTS)}`);
  if (random.chance(odd)) add(`Host: ${random.pick(HOSTS)}`);
  if (random.chance(0.25)) add(`${random.pick(["Connection", "connection"])}: ${random.pick(CONNECTIONS)}`);

  let body = "";
  const kind = random.below(4);
  if (kind === 1) {
    body = "x".repeat(random.below(12));
    add(
      `${random.pick(["Content-Length", "content-length"])}: ${random.chance(odd) ? random.pick(LENGTHS) : body.length}`,
    );
  } else if (kind === 2) {
    body = chunked(random, odd);
    add(`${random.pick(["Transfer-Encoding", "transfer-encoding"])}: ${either(["chunked"], CODINGS)}`);
  }
  if (kind > 0 && random.chance(odd)) add(`Content-Length: ${random.chance(0.5) ? body.length : random.pick(LENGTHS)}`);
  if (kind > 0 && random.chance(odd)) add(`Transfer-Encoding: ${random.pick(CODINGS)}`);
  for (const line of lines) text += line + lineEnd();
  return text + lineEnd() + body;
}

function chunked(random: Random, odd: number): string {
  const lineEnd = (): string => (random.chance(odd / 4) ? random.pick(LINE_ENDS) : "\r\n");
  let text = "";
  for (let i = random.below(3); i > 0; i--) {
    const data = "y".repeat(random.chance(0.5) ? 5 : 1 + random.below(20));
    const size = random.chance(odd) ? random.pick(SIZES) : data.length.toString(16);
    text += size + lineEnd() + data + lineEnd();
  }
  text += `${random.chance(odd / 2) ? random.pick(["0", "00", "000", "0;a", "", "0 ", "-0", "0x0"]) : "0"}${lineEnd()}`;
  for (let i = random.below(3); i > 1; i--) {
    const framing = random.chance(odd / 4)
      ? random.pick(["Content-Length: 5", "Transfer-Encoding: chunked"])
      : undefined;
    text += (framing ?? (random.chance(odd) ? random.pick(ODD_FIELDS) : random.pick(FIELDS))) + lineEnd();
  }
  return text + lineEnd();
}

const BYTES = [0, 9, 10, 13, 32, 34, 35, 44, 45, 47, 48, 58, 59, 61, 63, 64, 92, 95, 127, 128, 160, 255];

/** Changes, inserts, doubles or drops a few bytes anywhere. */
export function scramble(random: Random, bytes: Buffer): Buffer {
  const list = [...bytes];
  for (let i = 1 + random.below(3); i > 0; i--) {
    const at = random.below(list.length + 1);
    const byte = random.chance(0.7) ? random.pick(BYTES) : random.below(256);
    const how = random.below(5);
    if (how === 0) list.splice(at, 1);
    else if (how === 1) list.splice(at, 0, byte);
    else if (how === 2) list[Math.min(at, list.length - 1)] = byte;
    else if (how === 3) list.splice(at, 0, ...list.slice(at, at + random.below(10)));
    else list.splice(at, random.below(10));
  }
  return Buffer.from(list.map((byte) => byte ?? 0));
}
