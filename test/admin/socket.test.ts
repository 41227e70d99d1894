// The admin port on a Unix socket: for this user only, and its file is looked after.
import { chmodSync, existsSync, lstatSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, repository, start, temporaryFolder } from "../support/process.ts";
import { ask, open } from "./support/ask.ts";

test.after(endProcesses);

const admin = join(repository, "src/admin/mod.ts");

test("it answers on the file, which only this user may open, and which goes with it", async () => {
  const path = join(temporaryFolder(), "admin.sock");
  const mask = process.umask(0);
  try {
    await using admin = await open({ address: `unix:${path}` });
    assert.is(lstatSync(path).mode & 0o777, 0o600);
    assert.is(process.umask(), 0);
    assert.is(admin.admin.url, `unix:${path}`);
    assert.is((await ask(path, "/healthz")).text, "ok\n");
    assert.match((await ask(path, "/metrics")).text, /# EOF\n$/);
    // Clients of such a socket write any name there.
    assert.is((await ask(path, "/healthz", { headers: { host: "whatever" } })).status, 200);
  } finally {
    process.umask(mask);
  }
  assert.not(existsSync(path));
});

test("a file that a killed process left behind is replaced", async () => {
  const path = join(temporaryFolder(), "admin.sock");
  const program = `import { openAdmin } from ${JSON.stringify(admin)};
    await openAdmin({ address: ${JSON.stringify(`unix:${path}`)}, insecure: false, config: () => [] });
    console.log("open"); setInterval(() => {}, 1000);`;
  const child = start([process.execPath, "--input-type=module-typescript", "-e", program]);
  await child.saw(/open/);
  const error = await open({ address: `unix:${path}` }).then(
    () => undefined,
    (error: Error) => error,
  );
  assert.is(error?.name, "AdminError");
  assert.match(error?.message ?? "", /another process listens on .*admin\.sock: stop it, or choose another path/);
  await child.stop("SIGKILL");
  assert.ok(existsSync(path));
  {
    await using again = await open({ address: `unix:${path}` });
    assert.is((await ask(path, "/healthz")).status, 200);
    assert.ok(again);
  }
  assert.not(existsSync(path));
});

for (const left of [false, true])
  test(`a process that exits removes its file${left ? ", also one that it replaced" : ""}`, async () => {
    const path = join(temporaryFolder(), "admin.sock");
    if (left) {
      const hold = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
      await start([process.execPath, "-e", hold]).finished;
      assert.ok(existsSync(path));
    }
    const program = `import { openAdmin } from ${JSON.stringify(admin)};
    import { existsSync } from "node:fs";
    await openAdmin({ address: ${JSON.stringify(`unix:${path}`)}, insecure: false, config: () => [] });
    console.log(existsSync(${JSON.stringify(path)})); process.exit(0);`;
    const { code, stdout, stderr } = await start([process.execPath, "--input-type=module-typescript", "-e", program])
      .finished;
    assert.is(code, 0, stderr);
    assert.is(stdout.split("\n").at(-2), "true");
    assert.not(existsSync(path));
  });

test("what is no abandoned socket is not touched", async () => {
  const folder = temporaryFolder();
  const refused = async (path: string) => {
    const error = await open({ address: `unix:${path}` }).then(
      () => undefined,
      (error: Error) => error,
    );
    assert.is(error?.name, "AdminError");
    return error?.message ?? "";
  };
  const file = join(folder, "file");
  writeFileSync(file, "precious");
  assert.match(await refused(file), /exists and is not a socket/);
  assert.is(lstatSync(file).size, 8);

  const link = join(folder, "link");
  symlinkSync(file, link);
  assert.match(await refused(link), /exists and is not a socket/);

  const busy = join(folder, "busy.sock");
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((done) => other.listen(busy, done));
  assert.match(await refused(busy), /another process listens/);
  assert.ok(existsSync(busy));
  await new Promise((done) => other.close(done));

  assert.match(await refused(join(folder, "missing", "x.sock")), /--admin unix:.*missing/);
  assert.match(await refused(join(folder, "x".repeat(200))), /--admin unix:/);
  if (process.getuid?.() !== 0) {
    chmodSync(folder, 0o500);
    assert.match(await refused(join(folder, "denied.sock")), /--admin unix:/);
    chmodSync(folder, 0o700);
  }
});

test("an abstract socket has no file", async () => {
  const name = `slipway-admin-test-${process.pid}`;
  await using admin = await open({ address: `unix:@${name}` });
  assert.is((await ask(`\0${name}`, "/healthz")).status, 200);
  assert.ok(admin);
});

test.run();
