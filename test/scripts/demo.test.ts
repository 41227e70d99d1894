// The demo of `npm start`: each of its pages.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, repository, type Server, startServer } from "../support/process.ts";

let server: Server;
test.before(async () => {
  server = await startServer([...fromSource, "run", "scripts/demo.ts", "--port", "0"], { cwd: repository });
});

test("the page names the others, and each answers", async () => {
  const page = await fetch(server.url);
  assert.is(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  const links = [...(await page.text()).matchAll(/href="(\/[^"]+)"/g)].map(([, path]) => path);
  assert.equal(links, ["/json", "/stream"]);
  for (const path of links) {
    const response = await fetch(server.url + path);
    assert.is(response.status, 200);
    await response.body?.cancel();
  }
});

test("JSON of the request", async () => {
  const told = await (await fetch(`${server.url}/json`, { headers: { "x-test": "yes" } })).json();
  assert.is(told.method, "GET");
  assert.is(told.headers["x-test"], "yes");
  assert.is(told.from.transport, "tcp");
});

test("echo, of a body that is streamed", async () => {
  const parts = ["one ", "two ", "three"];
  const body = new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(part));
    },
  });
  const response = await fetch(`${server.url}/echo`, { method: "POST", body, duplex: "half" } as RequestInit);
  assert.is(await response.text(), "one two three");
});

test("the stream comes in more than one piece", async () => {
  const response = await fetch(`${server.url}/stream`);
  let pieces = 0;
  let text = "";
  for await (const piece of response.body ?? []) {
    pieces += 1;
    text += new TextDecoder().decode(piece);
  }
  assert.ok(pieces > 1);
  assert.match(text, /^line 1 of 10\n[\s\S]*line 10 of 10\n$/);
});

test("anything else is 404", async () => assert.is((await fetch(`${server.url}/nowhere`)).status, 404));

test.after(endProcesses);
test.run();
