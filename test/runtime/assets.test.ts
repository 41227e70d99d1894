/** Files inside a program: by path and URL, through our own functions and through node:fs; nothing outside answers. */
import fs from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { installEmbeddedFs } from "../../src/bundle/embedded-fs.ts";
import { installFileFetch } from "../../src/bundle/file-fetch.ts";
import {
  howToEmbed,
  isEmbedded,
  listAssets,
  PROGRAM_ROOT,
  provideAssets,
  readAsset,
  statAsset,
  withoutDrive,
} from "../../src/runtime/assets.ts";
import { IsADirectory, NotFound } from "../../src/runtime/errors.ts";
import { project } from "../support/project.ts";

const test = suite("embedded files");
const files = new Map([
  ["server.ts.txt", "root"],
  ["public/index.html", "<p>é</p>"],
  ["public/ä b.txt", "spaces"],
  ["public/deep/x.bin", "0123456789"],
]);
provideAssets({
  read: (name) => (files.has(name) ? Buffer.from(files.get(name) ?? "") : undefined),
  size: (name) => (files.has(name) ? Buffer.byteLength(files.get(name) ?? "") : undefined),
  executable: (name) => name.endsWith(".bin"),
  // Digests choose files' times: bits above the 30th change nothing.
  place: (name) => ({ fd: -1, offset: 0, size: 0, digest: name.endsWith(".html") ? "030000c0ffffffff" : "" }),
  names: () => files.keys(),
});
installEmbeddedFs();
installFileFetch();

const at = (path: string) => `${PROGRAM_ROOT}/${path}`;
const url = (path: string) => new URL(path, `file://${PROGRAM_ROOT}/src/server.ts`);
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

test("read by path, by URL, by URL text, with dots inside", () => {
  assert.is(text(readAsset(at("public/index.html"))), "<p>é</p>");
  assert.is(text(readAsset(url("../public/index.html"))), "<p>é</p>");
  assert.is(text(readAsset(url("../public/ä b.txt"))), "spaces");
  assert.is(text(readAsset(url("../public/ä b.txt").href)), "spaces");
  assert.is(text(readAsset(at("public/./deep/../index.html"))), "<p>é</p>");
  assert.is(text(readAsset(`/x/..${at("/public//index.html")}`.replace("/x/..", ""))), "<p>é</p>");
});

test("what is not carried says how it would be, a path of the disk does not", () => {
  assert.is(howToEmbed(at("a.txt")), "; the executable has no a.txt: compile it with --include");
  assert.is(howToEmbed(url("ä b.txt")), "; the executable has no src/ä b.txt: compile it with --include");
  assert.is(howToEmbed("/tmp/a.txt"), "");
  assert.is(howToEmbed(3), "");
});

test("every read is the reader's own copy", () => {
  readAsset(at("server.ts.txt"))?.fill(0);
  assert.is(text(readAsset(at("server.ts.txt"))), "root");
});

test("what lies outside is not answered, however it is spelled", () => {
  for (const path of [
    "/etc/passwd",
    "public/index.html",
    at("../etc/passwd"),
    at("public/../../etc/passwd"),
    `${PROGRAM_ROOT}x/a`,
    "",
    "/",
    "file:///etc/passwd",
    "file:///@slipway/%2e%2e/etc/passwd",
    "https://x/@slipway/a",
    "file:///%E0%A4%A",
  ]) {
    assert.is(isEmbedded(path), false, path);
    assert.is(readAsset(path), undefined, path);
    assert.is(statAsset(path), undefined, path);
    assert.is(listAssets(path), undefined, path);
  }
  // An encoded slash or dot is resolved before it is looked at, and stays inside or is not ours.
  assert.is(isEmbedded("file:///@slipway/a%2f..%2f..%2fetc/passwd"), false);
});

test("what is inside but missing is missing: the disk is never asked", () => {
  assert.throws(
    () => readAsset(at("nope.txt")),
    (error: Error) => error instanceof NotFound && /compiled without it/.test(error.message),
  );
  assert.throws(
    () => statAsset(at("public/index.html/x")),
    (error: Error) => error instanceof NotFound,
  );
  assert.throws(
    () => listAssets(at("server.ts.txt")),
    (error: Error) => error instanceof NotFound,
  );
  assert.throws(
    () => readAsset(at("public")),
    (error: Error) => error instanceof IsADirectory,
  );
});

test("stat and directories", () => {
  assert.equal(statAsset(at("public/deep/x.bin")), { isFile: true, size: 10, mode: 0o555, mtimeMs: 0 });
  assert.equal(statAsset(at("public/index.html")), {
    isFile: true,
    size: 9,
    mode: 0o444,
    mtimeMs: Date.UTC(1980, 0, 1, 0, 0, 3),
  });
  assert.equal(statAsset(PROGRAM_ROOT), { isFile: false, size: 0, mode: 0o555, mtimeMs: 0 });
  assert.equal(listAssets(at("public")), [
    { name: "deep", isFile: false },
    { name: "index.html", isFile: true },
    { name: "ä b.txt", isFile: true },
  ]);
  assert.equal(
    listAssets(`${PROGRAM_ROOT}/`)?.map(({ name }) => name),
    ["public", "server.ts.txt"],
  );
});

test("node:fs, in its three forms", async () => {
  const page = at("public/index.html");
  assert.is(fs.readFileSync(page, "utf8"), "<p>é</p>");
  assert.is(fs.readFileSync(url("../public/index.html"), { encoding: "utf8" }), "<p>é</p>");
  assert.ok(Buffer.isBuffer(fs.readFileSync(page)));
  assert.is(await fs.promises.readFile(page, "utf8"), "<p>é</p>");
  assert.is(
    await new Promise((resolve, reject) =>
      fs.readFile(page, "utf8", (error, data) => (error ? reject(error) : resolve(data))),
    ),
    "<p>é</p>",
  );
  assert.is(fs.existsSync(page), true);
  assert.is(fs.existsSync(at("nope")), false);
  assert.equal(
    [fs.statSync(page).size, fs.statSync(page).isFile(), fs.statSync(at("public")).isDirectory()],
    [9, true, true],
  );
  assert.is(fs.statSync(at("nope"), { throwIfNoEntry: false }), undefined);
  assert.is((await fs.promises.lstat(page)).mode & 0o777, 0o444);
  assert.equal(fs.readdirSync(at("public")), ["deep", "index.html", "ä b.txt"]);
  assert.equal(fs.readdirSync(at("public"), { recursive: true }), ["deep", "deep/x.bin", "index.html", "ä b.txt"]);
  const [first] = await fs.promises.readdir(at("public"), { withFileTypes: true });
  assert.equal(
    [first.name, first.isDirectory(), first.isFile(), first.parentPath],
    ["deep", true, false, at("public")],
  );
  assert.is(fs.realpathSync(page), page);
  fs.accessSync(page, fs.constants.R_OK);
});

test("node:fs, its errors with their codes", async () => {
  const code = (call: () => unknown) => {
    try {
      call();
      return "none";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  assert.is(
    code(() => fs.readFileSync(at("nope"))),
    "ENOENT",
  );
  assert.is(
    code(() => fs.statSync(at("nope"))),
    "ENOENT",
  );
  assert.is(
    code(() => fs.readFileSync(at("public"))),
    "EISDIR",
  );
  assert.is(
    code(() => fs.accessSync(at("public/index.html"), fs.constants.W_OK)),
    "EROFS",
  );
  assert.is(await fs.promises.readFile(at("nope")).catch((error) => error.code), "ENOENT");
  assert.is(await new Promise((resolve) => fs.stat(at("nope"), (error) => resolve(error?.code))), "ENOENT");
});

test("streams, whole and in part", async () => {
  const collect = async (stream: AsyncIterable<Buffer | string>) => {
    let all = "";
    for await (const chunk of stream) all += chunk;
    return all;
  };
  assert.is(await collect(fs.createReadStream(at("public/deep/x.bin"))), "0123456789");
  assert.is(await collect(fs.createReadStream(at("public/deep/x.bin"), { start: 2, end: 4, encoding: "utf8" })), "234");
  const failed = await collect(fs.createReadStream(at("nope"))).catch((error) => error.code);
  assert.is(failed, "ENOENT");
});

test("open gives a descriptor that reads, seeks and is told of by fstat; never one that writes", async () => {
  const path = at("public/deep/x.bin");
  const fd = fs.openSync(path, "r");
  const bytes = Buffer.alloc(4);
  assert.equal([fs.readSync(fd, bytes, 0, 4, 3), bytes.toString(), fs.fstatSync(fd).size], [4, "3456", 10]);
  assert.throws(() => fs.writeSync(fd, "x"), /EBADF/);
  fs.closeSync(fd);
  const handle = await fs.promises.open(path);
  assert.is(await handle.readFile("utf8"), "0123456789");
  await handle.close();
  const called = await new Promise<number>((resolve, reject) =>
    fs.open(path, "r", (error, fd) => (error ? reject(error) : resolve(fd))),
  );
  fs.closeSync(called);
  assert.throws(() => fs.openSync(path, "w"), /EROFS/);
  assert.throws(() => fs.openSync(at("nope"), "r"), /ENOENT/);
  assert.is(await fs.promises.open(at("nope")).catch((error) => error.code), "ENOENT");
});

test("fetch of file: URLs", async () => {
  const response = await fetch(url("../public/index.html"));
  assert.equal([response.status, await response.text()], [200, "<p>é</p>"]);
  assert.is(await fetch(url("../nope")).catch((error) => error.name), "TypeError");
});

test("files on the disk are read as before", async () => {
  const folder = project({ "a.txt": "disk" });
  assert.is(fs.readFileSync(`${folder}/a.txt`, "utf8"), "disk");
  assert.is(await fs.promises.readFile(`${folder}/a.txt`, "utf8"), "disk");
  assert.equal(fs.readdirSync(folder), ["a.txt"]);
  assert.is(fs.realpathSync.native(folder), fs.realpathSync(folder));
});

test("paths as Windows writes them lead to the same files", () => {
  for (const path of ["Z:\\@slipway\\a\\b.txt", "/Z:/@slipway/a/b.txt", "c:/@slipway/a/b.txt", "\\@slipway\\a\\b.txt"])
    assert.is(withoutDrive(path, "win32"), `${PROGRAM_ROOT}/a/b.txt`);
  assert.is(withoutDrive("/Z:/@slipway/a", "linux"), "/Z:/@slipway/a");
});

test.run();
