/** The documentation as pages: each is there, each link leads somewhere, and the search knows what is on them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { declarations } from "../../scripts/docs/declarations.ts";
import { render, slug } from "../../scripts/docs/render.ts";
import { buildSite, type Site } from "../../scripts/docs/site.ts";
import { serve, serveDir } from "../../src/mod.ts";
import { repository, temporaryFolder } from "../support/process.ts";

const test = suite("docs as pages");
const folder = join(temporaryFolder(), "docs");
let site: Site;

test.before(() => {
  site = buildSite(repository, folder, declarations(repository, temporaryFolder()));
});

const page = (name: string) => readFileSync(join(folder, name), "utf8");

test("no link of any page leads nowhere", () => {
  assert.equal(site.broken, []);
});

test("every guide has its page, which loads nothing from elsewhere", () => {
  for (const name of readdirSync(join(repository, "docs")).filter((name) => name.endsWith(".md")))
    assert.ok(existsSync(join(folder, name.replace(/\.md$/, ".html"))), name);
  for (const name of readdirSync(folder).filter((name) => name.endsWith(".html"))) {
    assert.not.match(page(name), /<(script|link|img)[^>]+(src|href)="(https?:)?\/\//, name);
    assert.match(page(name), /<html lang="en">[\s\S]*<title>[^<]+<\/title>/, name);
  }
});

test("all files that pages show are there", () => {
  for (const name of readdirSync(folder).filter((name) => name.endsWith(".html"))) {
    for (const [, file] of page(name).matchAll(/(?:src|href)="([^"#:]+)(?:#[^"]*)?"/g))
      assert.ok(existsSync(join(folder, file)), `${name} → ${file}`);
  }
});

test("the reference has what the library exports, with comments and without what is private", () => {
  const api = page("api.html");
  for (const name of ["serve", "listen", "connect", "proxy", "serveDir", "Conn", "ServeOptions", "errors"])
    assert.match(api, new RegExp(`<h3 id="${name.toLowerCase()}">${name}<`), name);
  assert.match(api, /<p>Connects to a server/);
  assert.not.match(api, /#private/);
});

test("the search finds sections by the beginnings of words, and nothing by what is nowhere", () => {
  const scope: { slipwayIndex?: [string, string, string, string, string][] } = {};
  runInNewContext(page("search-index.js"), { globalThis: scope });
  const index = scope.slipwayIndex ?? [];
  assert.ok(index.length > 100, String(index.length));
  assert.ok(index.some(([target, , anchor]) => target === "limits.html" && anchor === "drain"));
  for (const [target, , anchor] of index)
    if (anchor !== "") assert.ok(page(target).includes(`id="${anchor}"`), `${target}#${anchor}`);
});

test("anchors are GitHub's", () => {
  assert.is(slug("What `serve` takes, and when: a list"), "what-serve-takes-and-when-a-list");
  const { html, anchors } = render(
    { path: "docs/x.md", markdown: "# A\n\n## B\n\n## B\n\n<!-- hidden -->\n" },
    () => undefined,
  );
  assert.equal([...anchors], ["a", "b", "b-1"]);
  assert.not.match(html, /hidden/);
});

test("what is written stays text: markup in code, in links, in tables", () => {
  const markdown = '# T\n\n`<b>` [a"b](x.md "t")\n\n```ts\nconst a = "<i>"; // <u>\n```\n\n|a|b|\n|-|-|\n|`<s>`|c|\n';
  const { html } = render({ path: "docs/x.md", markdown }, () => undefined);
  assert.not.match(html, /<(b|i|u|s)>/);
  assert.match(html, /<span class="word">const<\/span> a = <span class="string">&quot;&lt;i&gt;&quot;<\/span>/);
});

test("a link that leads nowhere, and a heading that is not there, are told", () => {
  const { links } = render({ path: "docs/x.md", markdown: "# T\n\n[a](nowhere.md) [b](#none)\n" }, () => undefined);
  assert.equal(links, ["nowhere.md", "#none"]);
});

test("our own server serves them", async () => {
  await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) =>
    serveDir(request, { fsRoot: folder }),
  );
  for (const path of ["/", "/limits.html", "/style.css", "/search-index.js"]) {
    const response = await fetch(`http://127.0.0.1:${server.addr.port}${path}`);
    assert.is(response.status, 200, path);
    assert.ok((await response.text()).length > 100);
  }
});

test.run();
