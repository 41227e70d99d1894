// @ts-nocheck: written for Deno, whose types are not installed here.
/** Calls one member of Deno after the other and prints what came of it: test/deno/operations.test.ts compares. */
const folder = await Deno.makeTempDir();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const kept = { sentence: true };

const here = `${folder}/here.txt`;
const none = `${folder}/none`;
const info = ({ isFile, isDirectory, isSymlink, size, mode, mtime }) => [
  isFile,
  isDirectory,
  isSymlink,
  isFile ? size : null,
  (mode & 0o777).toString(8),
  mtime instanceof Date,
];

/** Name, call, and whether the error's sentence must be Deno's too, not only its class. */
const calls: [name: string, call: () => unknown, sentence?: { sentence: boolean }][] = [
  ["writeTextFile", () => Deno.writeTextFile(here, "one\n")],
  ["writeTextFile append", () => Deno.writeTextFile(here, "two\n", { append: true })],
  ["readTextFile", () => Deno.readTextFile(here)],
  ["readTextFileSync", () => Deno.readTextFileSync(here)],
  ["readTextFile URL", () => Deno.readTextFile(new URL(`file://${here}`))],
  ["readFile", async () => [text(await Deno.readFile(here)), (await Deno.readFile(here)).constructor.name]],
  ["readFileSync", () => text(Deno.readFileSync(here).slice(1, 3))],
  ["writeFile", () => Deno.writeFile(`${folder}/bytes`, new Uint8Array([1, 2, 3]), { mode: 0o640 })],
  ["writeFile stream", () => Deno.writeFile(`${folder}/stream`, new Blob(["streamed"]).stream())],
  ["read stream", () => Deno.readTextFile(`${folder}/stream`)],
  ["writeFileSync", () => Deno.writeFileSync(`${folder}/sync`, new TextEncoder().encode("sync"))],
  ["writeTextFileSync createNew", () => Deno.writeTextFileSync(here, "x", { createNew: true }), kept],
  ["writeTextFile no create", () => Deno.writeTextFile(none, "x", { create: false }), kept],
  ["stat", async () => info(await Deno.stat(here))],
  ["stat mode", () => info(Deno.statSync(`${folder}/bytes`))],
  ["stat directory", () => info(Deno.statSync(folder))],
  ["symlink", () => Deno.symlink(here, `${folder}/link`)],
  ["lstat", async () => info(await Deno.lstat(`${folder}/link`)).slice(0, 3)],
  ["readLink", async () => (await Deno.readLink(`${folder}/link`)) === here],
  ["realPath", async () => (await Deno.realPath(`${folder}/link`)) === (await Deno.realPath(here))],
  ["link", () => Deno.link(here, `${folder}/hard`)],
  ["copyFile", () => Deno.copyFile(here, `${folder}/copy`)],
  ["rename", () => Deno.rename(`${folder}/copy`, `${folder}/moved`)],
  ["truncate", () => Deno.truncate(`${folder}/moved`, 3)],
  ["truncated", () => Deno.readTextFile(`${folder}/moved`)],
  ["chmod", () => Deno.chmod(`${folder}/moved`, 0o600)],
  ["utime", () => Deno.utime(`${folder}/moved`, new Date(0), new Date(1000))],
  ["mtime", () => Deno.statSync(`${folder}/moved`).mtime?.getTime()],
  ["mkdir recursive", () => Deno.mkdir(`${folder}/a/b/c`, { recursive: true })],
  ["mkdir again", () => Deno.mkdir(`${folder}/a`), kept],
  ["mkdirSync", () => Deno.mkdirSync(`${folder}/a/d`)],
  [
    "readDir",
    async () =>
      (await Array.fromAsync(Deno.readDir(folder))).map((e) => [e.name, e.isFile, e.isDirectory, e.isSymlink]).sort(),
  ],
  ["readDirSync", () => [...Deno.readDirSync(`${folder}/a`)].map(({ name }) => name).sort()],
  ["remove full", () => Deno.remove(`${folder}/a`), kept],
  ["remove empty", () => Deno.remove(`${folder}/a/d`)],
  ["remove recursive", () => Deno.remove(`${folder}/a`, { recursive: true })],
  ["removed", () => Deno.stat(`${folder}/a`), kept],

  ["read none", () => Deno.readFile(none), kept],
  ["readSync none", () => Deno.readFileSync(none), kept],
  ["read directory", () => Deno.readTextFile(folder), kept],
  ["read below a file", () => Deno.readTextFile(`${here}/x`), kept],
  ["stat none", () => Deno.stat(none), kept],
  ["lstatSync none", () => Deno.lstatSync(none), kept],
  ["remove none", () => Deno.remove(none), kept],
  ["removeSync none", () => Deno.removeSync(none), kept],
  ["rename none", () => Deno.rename(none, here), kept],
  ["copy none", () => Deno.copyFile(none, here), kept],
  ["readDir none", async () => await Array.fromAsync(Deno.readDir(none)), kept],
  ["readDirSync none", () => [...Deno.readDirSync(none)], kept],
  ["readLink none", () => Deno.readLink(none), kept],
  ["realPathSync none", () => Deno.realPathSync(none), kept],
  ["mkdir nowhere", () => Deno.mkdir(`${none}/x`), kept],
  ["write nowhere", () => Deno.writeTextFile(`${none}/x`, "y"), kept],
  ["chmod none", () => Deno.chmod(none, 0o600), kept],
  ["truncate none", () => Deno.truncate(none), kept],
  ["chdir none", () => Deno.chdir(none), kept],
  ["symlink exists", () => Deno.symlink(here, `${folder}/link`), kept],
  [
    "loop",
    async () => {
      await Deno.symlink(`${folder}/l`, `${folder}/l`);
      return await Deno.readTextFile(`${folder}/l`);
    },
    kept,
  ],
  ["open none", () => Deno.open(none), kept],
  ["openSync createNew", () => Deno.openSync(here, { createNew: true, write: true }), kept],

  [
    "FsFile",
    async () => {
      using file = await Deno.open(here, { read: true, write: true });
      const buffer = new Uint8Array(5);
      const first = await file.read(buffer);
      const rest = text(new Uint8Array(await new Response(file.readable).arrayBuffer()));
      return [first, text(buffer), rest];
    },
  ],
  [
    "FsFile write",
    async () => {
      const file = await Deno.create(`${folder}/made`);
      const counts = [await file.write(new TextEncoder().encode("abc")), file.writeSync(new Uint8Array([100]))];
      const { size } = await file.stat();
      file.close();
      return [...counts, size, await Deno.readTextFile(`${folder}/made`)];
    },
  ],
  [
    "FsFile seek",
    async () => {
      using file = await Deno.open(`${folder}/seek`, { read: true, write: true, create: true });
      const said = [];
      file.writeSync(new TextEncoder().encode("0123456789"));
      said.push(file.seekSync(0, Deno.SeekMode.Current), await file.seek(2, Deno.SeekMode.Start));
      const buffer = new Uint8Array(3);
      said.push(file.readSync(buffer), text(buffer), file.seekSync(-2, Deno.SeekMode.End), await file.read(buffer));
      said.push(text(buffer), await file.read(buffer), file.seekSync(1, Deno.SeekMode.Current));
      await file.seek(4, Deno.SeekMode.Start);
      await file.write(new TextEncoder().encode("XY"));
      await file.truncate(8);
      await file.sync();
      file.utimeSync(1, 2);
      return [...said, await Deno.readTextFile(`${folder}/seek`), file.isTerminal(), file.statSync().mtime?.getTime()];
    },
  ],
  [
    "FsFile append",
    async () => {
      using file = Deno.openSync(`${folder}/seek`, { append: true, read: true });
      await file.write(new TextEncoder().encode("+"));
      const end = file.seekSync(0, Deno.SeekMode.Current);
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode("+"));
      return [end, file.readSync(new Uint8Array(1)), Deno.readTextFileSync(`${folder}/seek`)];
    },
  ],
  [
    "FsFile closed",
    async () => {
      const file = await Deno.open(here);
      file.close();
      return await file.read(new Uint8Array(1));
    },
  ],
  [
    "FsFile closed by its stream",
    async () => {
      const file = await Deno.open(here);
      await new Response(file.readable).text();
      file.close();
    },
  ],
  [
    "FsFile read into lent memory",
    async () => {
      const file = await Deno.open(here);
      const reader = file.readable.getReader({ mode: "byob" });
      const parts = [];
      for (let view = new Uint8Array(4); ; ) {
        const { done, value } = await reader.read(view);
        parts.push(done, value?.length, value && text(value));
        if (done) break;
        view = new Uint8Array(value.buffer);
      }
      return parts;
    },
  ],
  [
    "FsFile part of its stream",
    async () => {
      const file = await Deno.open(here);
      const reader = file.readable.getReader();
      const { value } = await reader.read();
      await reader.cancel("enough");
      const after = await file.read(new Uint8Array(1)).catch((error) => `${error.name}: ${error.message}`);
      return [value && text(value), after];
    },
  ],
  ["open for nothing", () => Deno.open(here, {}), kept],
  ["open truncate", () => Deno.openSync(here, { read: true, truncate: true }), kept],
  ["open create", () => Deno.openSync(here, { read: true, create: true }), kept],
  [
    "open a device",
    async () => {
      using file = await Deno.open("/dev/zero");
      return [await file.read(new Uint8Array(4)), file.readSync(new Uint8Array(4))];
    },
  ],
  [
    "FsFile writable",
    async () => {
      const file = await Deno.open(`${folder}/piped`, { create: true, write: true });
      await new Blob(["piped"]).stream().pipeTo(file.writable);
      return await Deno.readTextFile(`${folder}/piped`);
    },
  ],
  [
    "makeTempFile",
    async () => info(await Deno.stat(await Deno.makeTempFile({ dir: folder, prefix: "p", suffix: ".s" }))).slice(0, 4),
  ],
  ["makeTempDirSync", () => Deno.makeTempDirSync({ dir: folder, prefix: "q" }).startsWith(`${folder}/q`)],

  [
    "env",
    () => [Deno.env.get("A"), Deno.env.set("A", "1"), Deno.env.get("A"), Deno.env.has("A"), Deno.env.toObject().A],
  ],
  ["env delete", () => [Deno.env.delete("A"), Deno.env.has("A"), "A" in Deno.env.toObject()]],
  ["env empty", () => Deno.env.get(""), kept],
  ["env equals", () => Deno.env.set("a=b", "c"), kept],
  ["args", () => Deno.args],
  ["pid", () => [Deno.pid > 1, Deno.ppid > 0, typeof Deno.uid(), typeof Deno.gid()]],
  ["build", () => Deno.build],
  ["version", () => [Object.keys(Deno.version), Deno.version.deno]],
  ["mainModule", () => Deno.mainModule === import.meta.url],
  ["chdir", () => Deno.chdir(folder)],
  ["cwd", () => Deno.cwd() === Deno.realPathSync(folder)],
  ["memoryUsage", () => Object.keys(Deno.memoryUsage()).sort()],
  ["systemMemoryInfo", () => Object.keys(Deno.systemMemoryInfo()).sort()],
  ["cpuUsage", () => Object.keys(Deno.cpuUsage()).sort()],
  [
    "networkInterfaces",
    () => Deno.networkInterfaces().filter(({ name, family }) => name === "lo" && family === "IPv4"),
  ],
  ["hostname", () => [Deno.hostname(), Deno.osRelease(), typeof Deno.osUptime(), Deno.loadavg().length]],
  ["umask", () => [Deno.umask(0o27), Deno.umask()]],
  ["consoleSize", () => Deno.consoleSize()],
  ["isTerminal", () => [Deno.stdout.isTerminal(), Deno.stdin.isTerminal(), Deno.stderr.isTerminal()]],
  [
    "stdout",
    async () => [
      Deno.stdout.writeSync(new TextEncoder().encode("")),
      await Deno.stdout.write(new TextEncoder().encode("\n")),
    ],
  ],
  ["permissions", async () => (await Deno.permissions.query({ name: "net" })).state],
  ["exitCode", () => [Deno.exitCode, (Deno.exitCode = 3), Deno.exitCode, (Deno.exitCode = 0)]],
  ["exitCode wrong", () => (Deno.exitCode = "x"), kept],
  ["inspect", () => Deno.inspect({ a: [1, { b: null }] }, { colors: false })],
  ["test", () => Deno.test("never run", () => Deno.exit(9))],
  ["refTimer", () => Deno.unrefTimer(setTimeout(() => {}, 60_000))],
  ["resolveDns", () => Deno.resolveDns("localhost", "A")],

  [
    "Command",
    async () => {
      const { code, success, signal, stdout, stderr } = await new Deno.Command("sh", {
        args: ["-c", "echo out; echo err >&2; exit 4"],
      }).output();
      return [code, success, signal, text(stdout), text(stderr)];
    },
  ],
  [
    "Command env",
    () => text(new Deno.Command("sh", { args: ["-c", "echo $X"], env: { X: "here" }, cwd: "/" }).outputSync().stdout),
  ],
  ["Command none", () => new Deno.Command("no-such-program").output(), kept],
  ["Command spawn none", () => new Deno.Command("no-such-program").spawn(), kept],
  ["Command not piped", async () => (await new Deno.Command("true", { stdout: "null" }).output()).stdout, kept],
  [
    "Command stdin",
    async () => {
      const child = new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
      await new Blob(["through a child"]).stream().pipeTo(child.stdin);
      return [text((await child.output()).stdout), (await child.status).success];
    },
  ],
  [
    "Command kill",
    async () => {
      const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
      child.kill("SIGTERM");
      return await child.status;
    },
  ],
  [
    "Command abort",
    async () => {
      const controller = new AbortController();
      const child = new Deno.Command("sleep", { args: ["100"], signal: controller.signal }).spawn();
      controller.abort();
      return await child.status;
    },
  ],

  [
    "signals",
    async () => {
      const { promise, resolve } = Promise.withResolvers();
      let count = 0;
      const listener = (...args: unknown[]) => {
        count++;
        resolve(args);
      };
      // Nobody is kept alive by a signal listener.
      const alive = setInterval(() => {}, 1000);
      Deno.addSignalListener("SIGUSR2", listener);
      Deno.addSignalListener("SIGUSR2", listener);
      Deno.kill(Deno.pid, "SIGUSR2");
      const args = await promise;
      clearInterval(alive);
      Deno.removeSignalListener("SIGUSR2", listener);
      return [args, count];
    },
  ],
  ["signal unknown", () => Deno.addSignalListener("SIGNONE", () => {}), kept],
  ["signal KILL", () => Deno.addSignalListener("SIGKILL", () => {}), kept],
  ["kill nobody", () => Deno.kill(2 ** 30, "SIGTERM"), kept],

  [
    "listen and connect",
    async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const [server, client] = await Promise.all([listener.accept(), Deno.connect({ port: listener.addr.port })]);
      await server.write(new TextEncoder().encode("hi"));
      server.close();
      const buffer = new Uint8Array(8);
      const results = [await client.read(buffer), text(buffer.subarray(0, 2)), await client.read(buffer)];
      client.close();
      return [...results, client.remoteAddr.transport, listener.addr.hostname];
    },
  ],
  [
    "unix",
    async () => {
      using listener = Deno.listen({ transport: "unix", path: `${folder}/s.sock` });
      const [server, client] = await Promise.all([
        listener.accept(),
        Deno.connect({ transport: "unix", path: `${folder}/s.sock` }),
      ]);
      await client.write(new Uint8Array([7]));
      client.close();
      const all = await new Response(server.readable).bytes();
      return [all, listener.addr.transport, listener.addr.path === `${folder}/s.sock`];
    },
  ],
  ["connect refused", () => Deno.connect({ hostname: "127.0.0.1", port: 1 })],
  ["connect unix none", () => Deno.connect({ transport: "unix", path: none })],
  ["listen port", () => Deno.listen({ port: 70_000 })],
  [
    "listen taken",
    () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      Deno.listen({ hostname: "127.0.0.1", port: listener.addr.port });
    },
  ],
  [
    "accept after close",
    async () => {
      const listener = Deno.listen({ port: 0 });
      listener.close();
      await listener.accept();
    },
  ],
  [
    "close wakes accept",
    async () => {
      const listener = Deno.listen({ port: 0 });
      const ends = (async () => {
        for await (const _ of listener);
        return "ended";
      })();
      listener.close();
      return await ends;
    },
  ],

  ["serve nothing", () => Deno.serve(), kept],
  ["serve no handler", () => Deno.serve({ port: 0 }), kept],
  ["serve a number", () => Deno.serve({ port: 0 }, 5), kept],
  ["serve port", () => Deno.serve({ port: 70_000 }, () => new Response())],
  [
    "serve",
    async () => {
      const heard = Promise.withResolvers();
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: heard.resolve }, (_, info) =>
        Response.json(info.remoteAddr.hostname),
      );
      const addr = await heard.promise;
      const answer = await (await fetch(`http://127.0.0.1:${addr.port}/`)).json();
      const same = server.addr.port === addr.port && addr.port > 0;
      await server.shutdown();
      return [answer, same, addr.hostname, addr.transport, await server.finished];
    },
  ],
  [
    "serve options with handler",
    async () => {
      await using server = Deno.serve({ port: 0, onListen() {}, handler: () => new Response("handled") });
      return await (await fetch(`http://127.0.0.1:${server.addr.port}/`)).text();
    },
  ],
  [
    "serve signal",
    async () => {
      const controller = new AbortController();
      const server = Deno.serve({ port: 0, onListen() {}, signal: controller.signal }, () => new Response());
      controller.abort();
      return await server.finished;
    },
  ],
  [
    "serve onError",
    async () => {
      const onError = (error: unknown) => new Response(String(error), { status: 501 });
      const handler = () => Promise.reject(new TypeError("why"));
      await using server = Deno.serve({ port: 0, onListen() {}, onError }, handler);
      const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
      return [response.status, await response.text()];
    },
  ],
  [
    "serve throws",
    async () => {
      await using server = Deno.serve({ port: 0, onListen() {} }, () => {
        throw new Error("logged");
      });
      const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
      return [response.status, await response.text()];
    },
  ],
  [
    "serve unix",
    async () => {
      await using server = Deno.serve({ path: `${folder}/http.sock`, onListen() {} }, () => new Response("by path"));
      using conn = await Deno.connect({ transport: "unix", path: `${folder}/http.sock` });
      await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
      const answer = await new Response(conn.readable).text();
      return [server.addr.transport, answer.startsWith("HTTP/1.1 200 OK\r\n"), answer.endsWith("by path")];
    },
  ],
  [
    "serve taken",
    async () => {
      await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response());
      Deno.serve({ port: server.addr.port, hostname: "127.0.0.1", onListen() {} }, () => new Response());
    },
  ],
  [
    "serve ref",
    async () => {
      await using server = Deno.serve({ port: 0, onListen() {} }, () => new Response());
      return [server.unref(), server.ref()];
    },
  ],
  ["errors", () => Object.keys(Deno.errors).sort()],
  [
    "error class",
    () => {
      const error = new Deno.errors.NotFound("why", { cause: 1 });
      return [error.name, error.message, error.cause, error instanceof Error, String(error)];
    },
  ],
];

const results = [];
for (const [name, call, { sentence = false } = {}] of calls) {
  if (Deno.args.includes("--show")) console.error(name);
  try {
    results.push([name, "gives", (await call()) ?? null]);
  } catch (error) {
    const kind =
      Object.keys(Deno.errors).find((key) => error.constructor === Deno.errors[key]) ?? error.constructor.name;
    const said = sentence ? error.message.replaceAll(folder, "FOLDER") : null;
    results.push([name, "throws", kind, error.name, said]);
  }
}
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify(results));
Deno.exit();
