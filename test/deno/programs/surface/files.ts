// @ts-nocheck: written for Deno, whose types are not installed here.
/** Files and folders by their paths. */
import { both, bothClassOnly, bytes, check, classOnly, folder, text } from "./check.ts";

const here = `${folder}/here.txt`;
const none = `${folder}/none`;
const url = (path: string) => new URL(`file://${path}`);
let count = 0;
/** A path that nobody has used. */
const fresh = (name = "new") => `${folder}/${name}${count++}`;
const made = (content = "content") => {
  const path = fresh("made");
  Deno.writeTextFileSync(path, content);
  return path;
};
const mode = (path: string) => (Deno.statSync(path).mode & 0o7777).toString(8);

check("umask for all", () => Deno.umask(0o22) >= 0);

both("write and read", async (sync) => {
  const path = fresh("w");
  const results = [await sync("writeTextFile")(path, "eins\n"), await sync("readTextFile")(path)];
  results.push(await sync("writeTextFile")(path, "zwei\n", { append: true }), await sync("readTextFile")(path));
  results.push(await sync("writeFile")(path, bytes("kürzer")), await sync("readFile")(path));
  results.push(await sync("readTextFile")(url(path)), (await sync("readFile")(path)).buffer.byteLength);
  return results;
});
both("write mode", async (sync) => {
  const path = fresh();
  await sync("writeFile")(path, bytes("x"), { mode: 0o666 });
  const first = mode(path);
  await sync("writeFile")(path, bytes("x"), { mode: 0o600 });
  await sync("writeTextFile")(path, "more", { append: true });
  return [first, mode(path), Deno.readTextFileSync(path)];
});
both("write createNew", async (sync) => {
  const path = fresh();
  await sync("writeTextFile")(path, "x", { createNew: true });
  await sync("writeTextFile")(path, "y", { createNew: true });
});
both("write without create", (sync) => sync("writeFile")(none, bytes("x"), { create: false }));
both("write into a folder", (sync) => sync("writeTextFile")(folder, "x"));
both("write below nothing", (sync) => sync("writeTextFile")(`${none}/x`, "x"));
both("write below a file", (sync) => sync("writeTextFile")(`${made()}/x`, "x"));
bothClassOnly("write a number", (sync) => sync("writeFile")(fresh(), 5));
bothClassOnly("write an array", (sync) => sync("writeFile")(fresh(), [1, 2]));
both("write text that is none", async (sync) => {
  const path = fresh();
  await sync("writeTextFile")(path, 5);
  return Deno.readTextFileSync(path);
});
bothClassOnly("write bytes as text", async (sync) => {
  const path = fresh();
  await sync("writeFile")(path, "text");
  return Deno.readTextFileSync(path);
});
both("write other views", async (sync) => {
  const path = fresh();
  await sync("writeFile")(path, new Uint8Array(bytes("0123456789").buffer, 2, 3));
  return Deno.readTextFileSync(path);
});
check("write a stream", async () => {
  const path = fresh();
  const stream = new ReadableStream({
    start(controller) {
      for (const part of ["one ", "two ", "three"]) controller.enqueue(bytes(part));
      controller.close();
    },
  });
  await Deno.writeFile(path, stream);
  return Deno.readTextFileSync(path);
});
check("write a stream of text", async () => {
  const path = fresh();
  await Deno.writeTextFile(path, ReadableStream.from(["eins ", "zwö"]));
  return Deno.readTextFileSync(path);
});
check("write a stream behind", async () => {
  const path = made("before ");
  await Deno.writeFile(path, new Blob(["after"]).stream(), { append: true });
  return Deno.readTextFileSync(path);
});
check("write a stream that fails", () => {
  const stream = new ReadableStream({ pull: (controller) => controller.error(new RangeError("broken")) });
  return Deno.writeFile(fresh(), stream);
});
classOnly("write aborted before", () => Deno.writeFile(fresh(), bytes("x"), { signal: AbortSignal.abort() }));
check("write aborted with a reason", () =>
  Deno.writeFile(fresh(), bytes("x"), { signal: AbortSignal.abort(new RangeError("why")) }),
);
check("write text aborted", () => Deno.writeTextFile(fresh(), "x", { signal: AbortSignal.abort("just so") }));
classOnly("write a stream aborted", async () => {
  const controller = new AbortController();
  const stream = new ReadableStream({
    pull(stream) {
      stream.enqueue(bytes("x"));
      controller.abort();
    },
  });
  await Deno.writeFile(fresh(), stream, { signal: controller.signal });
});
classOnly("read aborted", () => Deno.readFile(made(), { signal: AbortSignal.abort() }));
check("read aborted with a reason", () =>
  Deno.readTextFile(made(), { signal: AbortSignal.abort(new RangeError("why")) }),
);
check("read aborted on the way", async () => {
  const controller = new AbortController();
  const reading = Deno.readFile(made("x".repeat(1_000_000)), { signal: controller.signal });
  controller.abort(new RangeError("late"));
  return (await reading).length;
});
both("read nothing", (sync) => sync("readTextFile")(none));
both("read a folder", (sync) => sync("readFile")(folder));
both("read below a file", (sync) => sync("readFile")(`${made()}/x`));
both("read a URL of nothing", (sync) => sync("readFile")(url(`${none} with space`)));
both("read http", (sync) => sync("readFile")(new URL("http://localhost/x")));
both("read a URL with an escape", async (sync) => {
  Deno.writeTextFileSync(`${folder}/ü %.txt`, "escaped");
  return await sync("readTextFile")(new URL(`file://${folder}/%C3%BC%20%25.txt`));
});
both("read a name with zero", (sync) => sync("readFile")("a\0b"));
both("read a BOM and broken text", async (sync) => {
  const path = fresh();
  Deno.writeFileSync(path, new Uint8Array([0xef, 0xbb, 0xbf, 97, 0xff, 98]));
  return [...(await sync("readTextFile")(path))].map((letter) => letter.codePointAt(0));
});
both("read what has no size", async (sync) => (await sync("readTextFile")("/proc/self/status")).startsWith("Name:"));

both("stat a file", async (sync) => {
  const path = fresh();
  Deno.writeTextFileSync(path, "12345", { mode: 0o640 });
  Deno.utimeSync(path, 1, 2.5);
  const info = await sync("stat")(path);
  const { mtime, atime, size, isFile, isDirectory, isSymlink, mode, nlink, uid, gid, rdev, blksize, blocks } = info;
  const { isBlockDevice, isCharDevice, isFifo, isSocket } = info;
  return {
    ...{ mtime, atime, size, isFile, isDirectory, isSymlink, mode, nlink, uid, gid, rdev, blksize, blocks },
    ...{ isBlockDevice, isCharDevice, isFifo, isSocket },
    keys: Object.keys(info).sort(),
    types: Object.values(info)
      .map((value) => (value instanceof Date ? "date" : typeof value))
      .sort(),
  };
});
both("stat others", async (sync) => {
  const kinds = [];
  for (const path of [folder, "/dev/null", "/proc/self/fd/0/../..", "/"]) {
    const { isFile, isDirectory, isSymlink, isCharDevice, isBlockDevice } = await sync("stat")(path);
    kinds.push([isFile, isDirectory, isSymlink, isCharDevice, isBlockDevice]);
  }
  return kinds;
});
both("stat nothing", (sync) => sync("stat")(none));
both("stat below a file", (sync) => sync("lstat")(`${made()}/x`));
both("stat a broken link", async (sync) => {
  const path = fresh("link");
  Deno.symlinkSync(none, path);
  return [(await sync("lstat")(path)).isSymlink, await sync("stat")(path)];
});

both("mkdir", async (sync) => {
  const path = fresh("dir");
  const results = [await sync("mkdir")(path), Deno.statSync(path).isDirectory, mode(path)];
  results.push(
    await sync("mkdir")(`${path}/a/b`, { recursive: true, mode: 0o700 }),
    mode(`${path}/a/b`),
    mode(`${path}/a`),
  );
  results.push(await sync("mkdir")(`${path}/a/b`, { recursive: true }));
  await sync("mkdir")(`${path}/a/b`);
  return results;
});
both("mkdir mode", async (sync) => {
  const path = fresh("dir");
  await sync("mkdir")(path, { mode: 0o737 });
  return mode(path);
});
both("mkdir over a file", (sync) => sync("mkdir")(made(), { recursive: true }));
both("mkdir below a file", (sync) => sync("mkdir")(`${made()}/x/y`, { recursive: true }));
both("mkdir below nothing", (sync) => sync("mkdir")(`${none}/x`));
both("mkdir over a link", async (sync) => {
  const path = fresh("link");
  Deno.symlinkSync(folder, path);
  return [await sync("mkdir")(path, { recursive: true }), await sync("mkdir")(path)];
});

both("makeTemp", async (sync) => {
  const dir = await sync("makeTempDir")({ dir: folder, prefix: "a", suffix: "z" });
  const file = await sync("makeTempFile")({ dir, prefix: "b", suffix: ".txt" });
  return [
    dir.startsWith(`${folder}/a`),
    dir.endsWith("z"),
    mode(dir),
    mode(file),
    file.startsWith(`${dir}/b`),
    file.endsWith(".txt"),
  ];
});
both("makeTemp nowhere", (sync) => sync("makeTempDir")({ dir: none }).then?.((path) => path));
check("makeTempFile nowhere", async () => {
  try {
    await Deno.makeTempFile({ dir: none });
  } catch (error) {
    return [error.name, error.message.replace(/none\/.*/, "none/…").replaceAll(folder, "FOLDER")];
  }
});
check("makeTempDir prefix with a slash", () => Deno.makeTempDirSync({ prefix: "a/b" }));
check("makeTempFile suffix with a slash", () => Deno.makeTempFileSync({ suffix: "/x" }));

const tree = () => {
  const path = fresh("tree");
  Deno.mkdirSync(`${path}/a/b`, { recursive: true });
  Deno.writeTextFileSync(`${path}/a/file`, "x");
  Deno.symlinkSync("file", `${path}/a/link`);
  Deno.symlinkSync("nowhere", `${path}/a/broken`);
  return path;
};
both("remove", async (sync) => {
  const path = tree();
  const results = [await sync("remove")(`${path}/a/link`), await sync("remove")(`${path}/a/broken`)];
  results.push(await sync("remove")(`${path}/a/file`), await sync("remove")(`${path}/a/b`), [
    ...Deno.readDirSync(`${path}/a`),
  ]);
  return results;
});
both("remove a full folder", (sync) => sync("remove")(`${tree()}/a`));
both("remove all", async (sync) => {
  const path = tree();
  return [await sync("remove")(path, { recursive: true }), await sync("stat")(path)];
});
both("remove a link to a folder", async (sync) => {
  const path = tree();
  Deno.symlinkSync("a", `${path}/l`);
  return [await sync("remove")(`${path}/l`, { recursive: true }), Deno.statSync(`${path}/a/file`).size];
});
both("remove nothing", (sync) => sync("remove")(none));
both("remove nothing, recursive", (sync) => sync("remove")(none, { recursive: true }));
both("remove a file, recursive", (sync) => sync("remove")(made(), { recursive: true }));
both("remove below a file", (sync) => sync("remove")(`${made()}/x`));

both("rename", async (sync) => {
  const [from, to] = [made("moved"), made("old")];
  const results = [await sync("rename")(from, to), Deno.readTextFileSync(to), await sync("rename")(url(to), url(from))];
  return [...results, Deno.readTextFileSync(from)];
});
both("rename nothing", (sync) => sync("rename")(none, here));
both("rename a file over a folder", (sync) => sync("rename")(made(), `${tree()}/a`));
both("rename a folder over a file", (sync) => sync("rename")(tree(), made()));
both("rename a folder over a full one", (sync) => sync("rename")(tree(), tree()));
both("rename into itself", (sync) => {
  const path = tree();
  return sync("rename")(path, `${path}/a/x`);
});

both("copyFile", async (sync) => {
  const from = made("copied");
  Deno.chmodSync(from, 0o604);
  const to = fresh();
  const results = [await sync("copyFile")(from, to), Deno.readTextFileSync(to), mode(to)];
  const other = made("a longer text than before");
  return [...results, await sync("copyFile")(url(from), url(other)), Deno.readTextFileSync(other)];
});
both("copyFile of nothing", (sync) => sync("copyFile")(none, fresh()));
both("copyFile of a folder", (sync) => sync("copyFile")(folder, fresh()));
both("copyFile over a folder", (sync) => sync("copyFile")(made(), folder));
both("copyFile to nowhere", (sync) => sync("copyFile")(made(), `${none}/x`));

both("links", async (sync) => {
  const path = made("linked");
  const [hard, soft] = [fresh("hard"), fresh("soft")];
  const results = [await sync("link")(path, hard), Deno.statSync(path).nlink, await sync("symlink")(path, soft)];
  results.push(await sync("symlink")("relative", `${soft}2`), await sync("readLink")(`${soft}2`));
  results.push(
    (await sync("readLink")(soft)) === path,
    await sync("readLink")(url(`${soft}2`)),
    (await sync("realPath")(soft)) === path,
  );
  return results;
});
both("symlink with a type", (sync) => sync("symlink")(folder, fresh("dirlink"), { type: "dir" }));
bothClassOnly("symlink with a wrong type", (sync) => sync("symlink")(folder, fresh("dirlink"), { type: "sideways" }));
both("symlink that is there", (sync) => sync("symlink")(folder, made()));
both("link that is there", (sync) => sync("link")(made(), made()));
both("link nothing", (sync) => sync("link")(none, fresh()));
both("readLink of a file", (sync) => sync("readLink")(made()));
both("readLink of nothing", (sync) => sync("readLink")(none));
both("realPath", async (sync) => [
  await sync("realPath")(`${folder}/../${folder.split("/").at(-1)}/.`),
  await sync("realPath")(url(folder)),
]);
both("realPath of nothing", (sync) => sync("realPath")(none));
both("realPath of a loop", (sync) => {
  const path = fresh("loop");
  Deno.symlinkSync(path, path);
  return sync("realPath")(path);
});

check("readDir", async () => {
  const path = tree();
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  const entries = async (of) => (await Array.fromAsync(of)).sort(byName);
  return [
    await entries(Deno.readDir(`${path}/a`)),
    await entries(Deno.readDirSync(url(`${path}/a`))),
    await entries(Deno.readDir(url(path))),
  ];
});
check("readDir of nothing", () => Array.fromAsync(Deno.readDir(none)));
check("readDir of nothing, sync", () => [...Deno.readDirSync(none)]);
check("readDirSync of nothing throws at once or later", () => {
  const iterator = Deno.readDirSync(none);
  return typeof iterator;
});
check("readDir of nothing throws at once or later", () => typeof Deno.readDir(none));
check("readDir of a file", () => Array.fromAsync(Deno.readDir(made())));
check("readDir of a file, sync", () => [...Deno.readDirSync(made())]);
check("readDir twice", async () => {
  const entries = Deno.readDir(tree());
  return [(await Array.fromAsync(entries)).length, (await Array.fromAsync(entries)).length];
});
check("readDirSync by hand", () => {
  const entries = Deno.readDirSync(`${tree()}/a/b`);
  return [entries.next?.(), typeof entries[Symbol.iterator], [...entries]];
});

both("truncate", async (sync) => {
  const path = made("0123456789");
  const results = [await sync("truncate")(path, 4), Deno.readTextFileSync(path)];
  results.push(await sync("truncate")(path, 6), Deno.readFileSync(path), await sync("truncate")(path));
  return [...results, Deno.statSync(path).size];
});
both("truncate nothing", (sync) => sync("truncate")(none));
both("truncate a folder", (sync) => sync("truncate")(folder));
both("truncate below zero", (sync) => sync("truncate")(made(), -1));

both("chmod", async (sync) => {
  const path = made();
  return [await sync("chmod")(path, 0o751), mode(path), await sync("chmod")(url(path), 0o4755), mode(path)];
});
both("chmod nothing", (sync) => sync("chmod")(none, 0o600));
both("chown", async (sync) => {
  const path = made();
  return [
    await sync("chown")(path, Deno.uid(), Deno.gid()),
    await sync("chown")(path, null, null),
    await sync("chown")(path, Deno.uid(), null),
  ];
});
both("chown nothing", (sync) => sync("chown")(none, 0, 0));
both("utime", async (sync) => {
  const path = made();
  const times = () => [Deno.statSync(path).atime.getTime(), Deno.statSync(path).mtime.getTime()];
  const results = [await sync("utime")(path, 1000, 2000), times()];
  results.push(await sync("utime")(url(path), new Date(1234), new Date(5678)), times());
  results.push(await sync("utime")(path, 1.25, 2.75), times(), await sync("utime")(path, -3, new Date(-7500)), times());
  await sync("utime")(folder, 5, 6);
  return [...results, Deno.statSync(folder).mtime];
});
both("utime of nothing", (sync) => sync("utime")(none, 1, 2));

check("watchFs", async () => {
  const path = tree();
  const watcher = Deno.watchFs(path);
  const kinds = new Set();
  const seen = [];
  const watching = (async () => {
    for await (const event of watcher) {
      kinds.add(event.kind);
      if (event.paths.some((one) => one.endsWith("/a/news"))) seen.push(Object.keys(event).sort().join());
      if (event.kind === "remove") break;
    }
  })();
  Deno.writeTextFileSync(`${path}/a/news`, "x");
  Deno.removeSync(`${path}/a/news`);
  await watching;
  return [kinds.has("remove"), seen[0]];
});
check("watchFs not recursive", async () => {
  const path = tree();
  const watcher = Deno.watchFs([path], { recursive: false });
  Deno.writeTextFileSync(`${path}/a/below`, "x");
  Deno.writeTextFileSync(`${path}/beside`, "x");
  for await (const { kind, paths } of watcher) if (paths.length > 0) return [kind, paths[0].endsWith("/beside")];
});
check("watchFs closed", async () => {
  const watcher = Deno.watchFs(folder);
  const ended = watcher[Symbol.asyncIterator]().next();
  watcher.close();
  return await ended;
});
check("watchFs closed twice", () => {
  const watcher = Deno.watchFs(folder);
  watcher.close();
  watcher.close();
});
check("watchFs returned", async () => {
  const watcher = Deno.watchFs(folder);
  return [await watcher.return("x"), typeof watcher[Symbol.dispose]];
});
check("watchFs nothing", () => typeof Deno.watchFs(none));

check("chdir", () => {
  const before = Deno.cwd();
  const results = [Deno.chdir(folder), Deno.cwd(), Deno.chdir(url("/"))];
  results.push(Deno.cwd());
  Deno.chdir(before);
  return results;
});
classOnly("chdir to a file", () => Deno.chdir(made()));
check("chdir to nothing", () => Deno.chdir(none));
check("relative paths", async () => {
  const before = Deno.cwd();
  Deno.chdir(folder);
  try {
    Deno.mkdirSync("rel/a", { recursive: true });
    Deno.writeTextFileSync("rel/a/x", "y");
    return [
      Deno.realPathSync("rel/a/x"),
      await Deno.readTextFile("./rel/a/x"),
      [...Deno.readDirSync("rel")],
      text(await Deno.readFile("rel/../rel/a/x")),
    ];
  } finally {
    Deno.chdir(before);
  }
});
