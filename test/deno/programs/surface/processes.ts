// @ts-nocheck: written for Deno, whose types are not installed here.
/** Child processes and signals. */
import { bytes, check, classOnly, folder, text } from "./check.ts";

const sh = (script: string, options = {}) => new Deno.Command("sh", { args: ["-c", script], ...options });
const said = ({ code, success, signal, stdout, stderr }) => ({
  code,
  success,
  signal,
  stdout: text(stdout),
  stderr: text(stderr),
});

check("Command's members", () =>
  [Deno.Command, Deno.ChildProcess].map(({ prototype }) => Object.getOwnPropertyNames(prototype).sort()),
);
check("output", async () => said(await sh("echo out; echo err >&2; exit 4").output()));
check("outputSync", () => said(sh("echo out; echo err >&2; exit 4").outputSync()));
check("output's keys", async () => {
  const given = [await sh("true").output(), sh("true").outputSync()];
  return given.map((one) => [Object.keys(one).sort(), one.stdout.constructor.name]);
});
check("output of much", async () => [
  (await sh("head -c 3000000 /dev/zero").output()).stdout.length,
  sh("head -c 3000000 /dev/zero").outputSync().stdout.length,
]);
check("output, stdout null", async () => (await sh("echo x", { stdout: "null" }).output()).stdout);
check("outputSync, stderr null", () => sh("echo x", { stderr: "null" }).outputSync().stderr);
check("output, stdin piped", () => sh("cat", { stdin: "piped" }).output());
check("outputSync, stdin piped", () => sh("cat", { stdin: "piped" }).outputSync());
check("stdin is empty by default", async () => text((await sh("cat; echo end").output()).stdout));
check("killed by a signal", async () => said(await sh("kill -9 $$").output()));
check("killed by a signal, sync", () => said(sh("kill -INT $$").outputSync()));
check("cwd", async () => [
  text((await sh("pwd", { cwd: folder }).output()).stdout),
  text(sh("pwd", { cwd: new URL(`file://${folder}`) }).outputSync().stdout),
]);
check("cwd that is not there", () => sh("pwd", { cwd: `${folder}/none` }).output());
check("cwd that is not there, sync", () => sh("pwd", { cwd: `${folder}/none` }).outputSync());
check("cwd that is not there, spawn", () => sh("pwd", { cwd: `${folder}/none` }).spawn());
check("Command env", async () => {
  Deno.env.set("FROM_HERE", "1");
  const echo = ["FROM_HERE", "GIVEN"].map((name) => `echo $\{${name}:-none}`).join("; ");
  return [
    text((await sh(echo, { env: { GIVEN: "2" } }).output()).stdout),
    text(new Deno.Command("/bin/sh", { args: ["-c", echo], clearEnv: true, env: { GIVEN: "3" } }).outputSync().stdout),
    Deno.env.delete("FROM_HERE"),
  ];
});
check("Command uid and gid", async () => {
  const { stdout } = await sh("id -u; id -g", { uid: Deno.uid(), gid: Deno.gid() }).output();
  return text(stdout) === `${Deno.uid()}\n${Deno.gid()}\n`;
});
check("args that are no text", async () => text((await new Deno.Command("echo", { args: [1, true] }).output()).stdout));
check(
  "a URL as command",
  async () => said(await new Deno.Command(new URL("file:///bin/echo"), { args: ["x"] }).output()).stdout,
);
check("raw arguments are Windows' affair", async () => {
  const { stdout } = await new Deno.Command("echo", { args: ["a b"], windowsRawArguments: true }).output();
  return text(stdout);
});
check("no such program", () => new Deno.Command("no-such-program").output());
check("no such program, sync", () => new Deno.Command("no-such-program").outputSync());
check("no such program, spawn", () => new Deno.Command("no-such-program").spawn());
check("no such path", () => new Deno.Command(`${folder}/none`).output());
check("a program that may not run", () => {
  Deno.writeTextFileSync(`${folder}/plain`, "x");
  return new Deno.Command(`${folder}/plain`).output();
});
check("an empty name", () => new Deno.Command("").output());
check("a folder", () => new Deno.Command(folder).output());

check("spawn, all piped", async () => {
  const child = sh("cat; echo err >&2", { stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes("through"));
  await writer.close();
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  return [stdout, stderr, status, typeof child.pid];
});
check("spawn's shorthands", async () => {
  const child = sh(`echo '{"a":1}'; echo err >&2`, { stdout: "piped", stderr: "piped" }).spawn();
  return [await child.stdout.json(), text(await child.stderr.bytes()), (await child.status).code];
});
check("spawn's other shorthands", async () => {
  const child = sh("echo text; echo err >&2", { stdout: "piped", stderr: "piped" }).spawn();
  return [await child.stdout.text(), (await child.stderr.arrayBuffer()).byteLength];
});
for (const stream of ["stdin", "stdout", "stderr"]) {
  check(`spawn, ${stream} not piped`, async () => {
    const child = sh("exit 0", { stdin: "null", stdout: "null", stderr: "null" }).spawn();
    await child.status;
    return child[stream];
  });
}
check("spawn and output", async () =>
  said(await sh("echo x; echo y >&2", { stdout: "piped", stderr: "piped" }).spawn().output()),
);
check(
  "spawn and output, not piped",
  async () => (await sh("true", { stdout: "null", stderr: "null" }).spawn().output()).stdout,
);
check("spawn and output, locked", async () => {
  const child = sh("echo x", { stdout: "piped", stderr: "piped" }).spawn();
  child.stdout.getReader();
  await child.output();
});
check("spawn and output twice", async () => {
  const child = sh("echo x", { stdout: "piped", stderr: "piped" }).spawn();
  await child.output();
  await child.output();
});
check("kill", async () => {
  const child = sh("exec sleep 100").spawn();
  const gave = child.kill();
  return [gave, await child.status];
});
check("kill by name", async () => {
  const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
  child.kill("SIGINT");
  return await child.status;
});
check("kill by number", async () => {
  const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
  child.kill(9);
  return await child.status;
});
check("kill by a wrong name", async () => {
  const child = new Deno.Command("true").spawn();
  try {
    child.kill("SIGNONE");
  } finally {
    await child.status;
  }
});
check("kill what has ended", async () => {
  const child = new Deno.Command("true").spawn();
  await child.status;
  child.kill();
});
check("abort", async () => {
  const controller = new AbortController();
  const child = new Deno.Command("sleep", { args: ["100"], signal: controller.signal }).spawn();
  controller.abort();
  return await child.status;
});
check("asyncDispose", async () => {
  let child: unknown;
  {
    await using running = new Deno.Command("sleep", { args: ["100"] }).spawn();
    child = running;
  }
  return await child.status;
});
check("asyncDispose of what has ended", async () => {
  await using child = new Deno.Command("true").spawn();
  return await child.status;
});
check("ref and unref", async () => {
  const child = new Deno.Command("true").spawn();
  return [child.unref(), child.ref(), (await child.status).code];
});
check("status is the same promise", async () => {
  const child = new Deno.Command("true").spawn();
  const { status } = child;
  return [child.status === status, await status];
});
check("detached", async () => {
  const child = sh("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat", {
    detached: true,
    stdout: "piped",
  }).spawn();
  const group = Number(text(await child.stdout.bytes()));
  await child.status;
  return group === child.pid;
});
check(
  "inherited and null",
  async () => (await sh("echo >&2", { stdout: "inherit", stderr: "null", stdin: "null" }).spawn().status).code,
);
classOnly("a wrong word for a stream", () => sh("true", { stdout: "pipe" }).spawn());
check("Deno.spawn", async () => {
  const child = Deno.spawn("echo", ["a", "b"], { stdout: "piped" });
  const one = await child.stdout.text();
  const two = text((await Deno.spawnAndWait("echo", { args: ["c"] })).stdout);
  return [one, two, text(Deno.spawnAndWaitSync("sh", ["-c", "pwd"], { cwd: folder }).stdout)];
});
classOnly("ChildProcess by hand", () => new Deno.ChildProcess());

const hear = async (signal: string, send: () => void) => {
  const { promise, resolve } = Promise.withResolvers();
  // Nobody is kept alive by a signal listener.
  const alive = setInterval(() => {}, 1000);
  Deno.addSignalListener(signal, resolve);
  send();
  await promise;
  Deno.removeSignalListener(signal, resolve);
  clearInterval(alive);
  return signal;
};
check("signals", async () => [
  await hear("SIGUSR2", () => Deno.kill(Deno.pid, "SIGUSR2")),
  await hear("SIGHUP", () => Deno.kill(Deno.pid, 1)),
  await hear("SIGWINCH", () => Deno.kill(Deno.pid, "SIGWINCH")),
]);
check("signal unknown", () => Deno.addSignalListener("SIGNONE", () => {}));
check("signal SIGUNUSED", () => {
  const listener = () => {};
  Deno.addSignalListener("SIGUNUSED" as Deno.Signal, listener);
  Deno.removeSignalListener("SIGUNUSED" as Deno.Signal, listener);
});
check("signal KILL", () => Deno.addSignalListener("SIGKILL", () => {}));
check("signal STOP removed", () => Deno.removeSignalListener("SIGSTOP", () => {}));
for (const signal of ["SIGILL", "SIGFPE", "SIGSEGV", "SIGBREAK", "SIGPOLL", "SIGINFO", "SIGEMT"]) {
  check(`signal ${signal}`, () => {
    const listener = () => {};
    Deno.addSignalListener(signal, listener);
    Deno.removeSignalListener(signal, listener);
  });
}
check("signal listener that is none", () => Deno.addSignalListener("SIGUSR2", undefined));
check("signal never added", () => Deno.removeSignalListener("SIGUSR2", () => {}));
check("kill nobody", () => Deno.kill(2 ** 30, "SIGTERM"));
check("kill with a wrong name", () => Deno.kill(Deno.pid, "SIGNONE"));
check("kill with zero", () => Deno.kill(Deno.pid, 0));
check("kill with a wrong number", () => Deno.kill(Deno.pid, 4000));
check("kill with nothing", async () => {
  const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
  Deno.kill(child.pid);
  return await child.status;
});
