// `request.url` is what `new URL(…).href` says, whichever way it came about; it never throws for what the parser let in.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { defaultLimits } from "../../src/http/limits.ts";
import { COMPLETE, HeadParser } from "../../src/http/parser.ts";
import { authorityOf, requestUrl } from "../../src/http/request-url.ts";
import { chooseSeed, Random } from "./support/random.ts";

const HOSTS =
  "a A 1 0 255 256 0x1 08 x . .. - -- _ ~ ! $ & ' ( ) * + , ; = % %41 %2f %00 [ ] ::1 [::1] [1::f] [::ffff:1.2.3.4] : :80 :443 :8080 :0 :65535 :65536 :08 xn-- XN-- xn--zca localhost example.com EXAMPLE ..a a..b 127.0.0.1 1.2.3 1.2.3.4.".split(
    " ",
  );
const TARGETS =
  "/ // a A 1 . .. /. /.. /./ /../ %2e %2E %2e%2e % %% %2 %zz %e4 ? ?? & = ; : @ ! $ ' ( ) * + , - _ ~ | ^ ` { } [ ] < > \\ \" http:// https:// //b".split(
    " ",
  );
const METHODS = ["GET", "OPTIONS"];

test("100,000 hosts and targets", () => {
  const seed = chooseSeed();
  console.log(`\nseed ${seed}`);
  const random = new Random(seed);
  const parser = new HeadParser(defaultLimits);
  const join = (parts: readonly string[], most: number): string => {
    let text = "";
    for (let i = 1 + random.below(most); i > 0; i--) text += random.pick(parts);
    return text;
  };
  let accepted = 0;
  for (let i = 0; i < 100_000; i++) {
    const host = random.chance(0.3) ? "example.com" : join(HOSTS, 4);
    const form = random.below(4);
    const target =
      form === 0 ? `http://${join(HOSTS, 3)}${join(TARGETS, 5)}` : form === 1 ? "*" : `/${join(TARGETS, 8)}`;
    const bytes = Buffer.from(`${random.pick(METHODS)} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    if (parser.parse(bytes, 0, bytes.length) !== COMPLETE) continue;
    accepted++;
    const named = bytes.toString("latin1", parser.hostStart, parser.hostEnd);
    const url = requestUrl("http", named, target);
    const wanted = target.startsWith("/") ? `http://${named}${target}` : target === "*" ? `http://${named}/*` : target;
    assert.is(url, new URL(wanted).href, `${JSON.stringify(host)} ${JSON.stringify(target)}`);
  }
  assert.ok(accepted > 20_000, `only ${accepted} were accepted`);
});

test("the server's own name", () => {
  assert.is(authorityOf({ transport: "tcp", hostname: "0.0.0.0", port: 8000 }), "localhost:8000");
  assert.is(authorityOf({ transport: "tcp", hostname: "::", port: 8000 }), "localhost:8000");
  assert.is(authorityOf({ transport: "tcp", hostname: "::1", port: 80 }), "[::1]:80");
  assert.is(authorityOf({ transport: "unix", path: "/run/x" }), "localhost");
  assert.is(requestUrl("http", "[::1]:80", "/a"), "http://[::1]/a");
});

test.run();
