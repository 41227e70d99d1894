/** What a redirect makes of a request, where the oracle can't tell. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { follow } from "../../src/client/redirect.ts";

test("who is named in a location is sent along, percent signs that are no codes as they stand", () => {
  const before = { method: "GET", url: "http://a.test/", fields: [], body: null };
  const { url, fields } = follow(before, 302, "http://us%C3%A9r%zz:100%25%@a.test/x");
  assert.is(url, "http://a.test/x");
  const [name, value] = fields;
  assert.is(name, "authorization");
  assert.is(Buffer.from(value.slice("Basic ".length), "base64").toString(), "usér%zz:100%%");
});

test.run();
