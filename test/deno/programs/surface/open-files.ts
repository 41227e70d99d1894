// @ts-nocheck: written for Deno, whose types are not installed here.
/** Open files and standard streams. */
import { both, bytes, check, classOnly, folder, text } from "./check.ts";

let count = 0;
const made = (content = "0123456789") => {
  const path = `${folder}/open${count++}`;
  Deno.writeTextFileSync(path, content);
  return path;
};
const all = { read: true, write: true };

both("open for nothing", (sync) => sync("open")(made(), {}));
both("open write false", (sync) => sync("open")(made(), { write: false }));
both("open truncate without write", (sync) => sync("open")(made(), { read: true, truncate: true }));
both("open create without write", (sync) => sync("open")(made(), { read: true, create: true }));
both("open createNew without write", (sync) => sync("open")(made(), { read: true, createNew: true }));
both("open createNew that is there", (sync) => sync("open")(made(), { write: true, createNew: true }));
both("open a folder to write", (sync) => sync("open")(folder, { write: true }));
both("open nothing", (sync) => sync("open")(`${folder}/none`));
both("open http", (sync) => sync("open")(new URL("http://localhost/")));
both("open mode", async (sync) => {
  const path = `${folder}/mode${count++}`;
  using file = await sync("open")(path, { write: true, create: true, mode: 0o604 });
  return (file.statSync().mode & 0o777).toString(8);
});
both("open append and truncate", (sync) => sync("open")(made(), { append: true, truncate: true }));
both("create", async (sync) => {
  const path = made();
  using file = await sync("create")(path);
  return [
    file.writeSync(bytes("abc")),
    file.seekSync(0, Deno.SeekMode.Start),
    file.readSync(new Uint8Array(9)),
    file.constructor.name,
  ];
});
check("FsFile's members", () => {
  using file = Deno.openSync(made());
  const names = new Set();
  for (let proto = Object.getPrototypeOf(file); proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const name of Object.getOwnPropertyNames(proto)) names.add(name);
  }
  return [...names].filter((name) => !["constructor", "rid", "readSource", "writeSource"].includes(name)).sort();
});
check("FsFile by hand", () => new Deno.FsFile());
check("FsFile read and seek", async () => {
  using file = await Deno.open(made(), all);
  const buffer = new Uint8Array(4);
  const said = [await file.read(buffer), text(buffer), file.readSync(buffer), text(buffer), await file.read(buffer)];
  said.push(await file.read(buffer), file.readSync(new Uint8Array(0)), await file.read(new Uint8Array(0)));
  said.push(await file.seek(-3, Deno.SeekMode.End), file.seekSync(1n, Deno.SeekMode.Current), await file.read(buffer));
  said.push(
    file.seekSync(20, Deno.SeekMode.Start),
    file.readSync(buffer),
    await file.write(bytes("!")),
    file.statSync().size,
  );
  return said;
});
check("FsFile seek below zero", async () => {
  using file = await Deno.open(made(), all);
  await file.seek(-1, Deno.SeekMode.Start);
});
check("FsFile seek below zero, sync", () => {
  using file = Deno.openSync(made(), all);
  file.seekSync(-11, Deno.SeekMode.End);
});
check("FsFile seek by a wrong mode", async () => {
  using file = await Deno.open(made(), all);
  await file.seek(1, 7);
});
check("FsFile seek far", async () => {
  using file = await Deno.open(made(), all);
  return [await file.seek(2 ** 33, Deno.SeekMode.Start), file.seekSync(2n ** 33n, Deno.SeekMode.Start)];
});
check("FsFile write where it is read only", async () => {
  using file = await Deno.open(made());
  await file.write(bytes("x"));
});
check("FsFile write where it is read only, sync", () => {
  using file = Deno.openSync(made());
  file.writeSync(bytes("x"));
});
check("FsFile read where it is write only", async () => {
  using file = await Deno.open(made(), { write: true });
  await file.read(new Uint8Array(1));
});
check("FsFile truncate where it is read only", async () => {
  using file = await Deno.open(made());
  await file.truncate(1);
});
check("FsFile write no bytes", async () => {
  using file = await Deno.open(made(), all);
  await file.write("text");
});
check("FsFile truncate", async () => {
  using file = await Deno.open(made(), all);
  const said = [];
  for (const length of [5, 7, undefined]) {
    await file.truncate(length);
    said.push(file.statSync().size);
  }
  file.truncateSync(3);
  return [...said, (await file.stat()).size];
});
check("FsFile sync and times", async () => {
  using file = await Deno.open(made(), all);
  const said = [await file.sync(), file.syncSync(), await file.syncData(), file.syncDataSync()];
  said.push(
    await file.utime(1, new Date(2000)),
    file.statSync().mtime,
    file.utimeSync(3.5, 4.5),
    file.statSync().mtime,
  );
  return said;
});
check("FsFile stat", async () => {
  using file = await Deno.open(made(), all);
  const info = await file.stat();
  return [Object.keys(info).sort(), info.isFile, info.size, info.isSymlink, info.isFifo];
});
check("FsFile locks", async () => {
  const path = made();
  using one = await Deno.open(path, all);
  using two = await Deno.open(path, all);
  const said = [await one.lock(true), await two.tryLock(false), two.tryLockSync(true), await one.unlock()];
  said.push(await two.tryLock(), one.tryLockSync(), await one.tryLock(true), one.unlockSync(), two.unlockSync());
  said.push(one.lockSync(), two.lockSync(false), two.unlockSync(), one.unlockSync(), one.tryLockSync(true));
  let got = false;
  const waiting = two.lock(true).then(() => (got = true));
  const early = got;
  await one.unlock();
  await waiting;
  return [...said, early, got, await two.unlock()];
});
check("FsFile lock closed", async () => {
  const file = await Deno.open(made());
  file.close();
  await file.lock();
});
check("FsFile isTerminal", () => {
  using file = Deno.openSync(made());
  return file.isTerminal();
});
check("FsFile setRaw on a file", () => {
  using file = Deno.openSync(made());
  file.setRaw(true);
});
for (const call of [
  "read",
  "readSync",
  "write",
  "writeSync",
  "seek",
  "seekSync",
  "stat",
  "statSync",
  "sync",
  "close",
  "isTerminal",
]) {
  check(`FsFile closed: ${call}`, async () => {
    const file = await Deno.open(made(), all);
    file.close();
    return await file[call](call.startsWith("seek") ? 0 : new Uint8Array(1), 0);
  });
}
check("FsFile disposed twice", () => {
  const file = Deno.openSync(made());
  file[Symbol.dispose]();
  return file[Symbol.dispose]();
});
classOnly("FsFile readable", async () => {
  const file = await Deno.open(made());
  file.seekSync(3, Deno.SeekMode.Start);
  const { readable } = file;
  const same = file.readable === readable;
  const said = await new Response(file.readable).text();
  return [same, said, file.readable.locked, await file.readable.getReader().closed.catch((error) => error.name)];
});
check("FsFile readable cancelled", async () => {
  const file = await Deno.open(made());
  await file.readable.cancel();
  return await file.read(new Uint8Array(1));
});
classOnly("FsFile readable of a closed one", async () => {
  const file = await Deno.open(made());
  const { readable } = file;
  file.close();
  return await new Response(readable).text();
});
check("FsFile writable", async () => {
  const path = made();
  const file = await Deno.open(path, all);
  const writer = file.writable.getWriter();
  await writer.write(bytes("abc"));
  await writer.write(bytes("def"));
  await writer.close();
  return [Deno.readTextFileSync(path), await file.write(bytes("x")).catch((error) => error.name)];
});
check("FsFile writable aborted", async () => {
  const file = await Deno.open(made(), all);
  await file.writable.abort("enough");
  return await file.read(new Uint8Array(1)).catch((error) => error.name);
});
check("FsFile writable of text", async () => {
  const file = await Deno.open(made(), all);
  const writer = file.writable.getWriter();
  return await writer.write("text").catch((error) => [error.name]);
});
check("FsFile to FsFile", async () => {
  const path = made("");
  const from = await Deno.open(made("x".repeat(200_000)));
  const to = await Deno.open(path, all);
  await from.readable.pipeTo(to.writable);
  return Deno.statSync(path).size;
});
check("FsFile append", async () => {
  const path = made();
  using file = await Deno.open(path, { append: true });
  await file.write(bytes("+"));
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(bytes("-"));
  return Deno.readTextFileSync(path);
});

/** Without the resource numbers that Deno's own modules use. */
const membersOf = (object: object) => {
  const names = new Set();
  for (let one = Object.getPrototypeOf(object); one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    for (const name of Object.getOwnPropertyNames(one)) names.add(name);
  }
  return [...names].filter((name) => name !== "rid").sort();
};
check("members of standard streams", () => [Deno.stdin, Deno.stdout, Deno.stderr].map(membersOf));
check("standard streams' classes", () => [
  Deno.stdin.constructor.name,
  Deno.stdout.constructor.name,
  Deno.stderr.constructor.name,
]);
check("stdin", async () => {
  const buffer = new Uint8Array(5);
  const said = [await Deno.stdin.read(buffer), text(buffer), Deno.stdin.readSync(buffer), text(buffer)];
  const rest = [];
  for await (const chunk of Deno.stdin.readable) rest.push(text(chunk));
  return [...said, rest.join("").length, Deno.stdin.isTerminal()];
});
check("stdin setRaw", () => Deno.stdin.setRaw(true));
classOnly("stderr", async () => [
  await Deno.stderr.write(bytes("")),
  Deno.stderr.writeSync(bytes("")),
  Deno.stderr.isTerminal(),
  typeof Deno.stderr.writable,
]);
check("consoleSize", () => Deno.consoleSize());
