// time limit: 120 s
// What docs/3-net.md prints runs as it is printed: its server, and the errors that it shows.
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as nodeConnect } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect, listen } from "../../src/net/mod.ts";
import { onLinux } from "../ffi/kernel.ts";
import { fromSource, repository, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const guide = readFileSync(join(repository, "docs/3-net.md"), "utf8");
const test = suite("docs/3-net.md");

test("echo.ts", async () => {
  const code = /^```ts\n\/\/ echo\.ts\n([\s\S]*?)^```$/m.exec(guide)?.[1];
  if (code === undefined) throw new Error("docs/3-net.md has no echo.ts");
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const path = join(folder, "echo.ts");
  writeFileSync(path, code);
  const started = start([...fromSource, "run", path, "--port", "0"]);
  const [, port] = await started.saw(/^Listening on \S*?:(\d+)/m);
  const socket = nodeConnect({ port: Number(port), host: "127.0.0.1" });
  socket.write("hear me");
  const [heard] = await once(socket, "data");
  assert.is(String(heard), "hear me");
  socket.destroy();
  await started.stop();
});

const errors = "the errors that it shows";
// Their numbers are Linux's.
if (!onLinux) skip(test, errors, "the guide shows Linux's");
else
  test(errors, async () => {
    using listener = listen({ port: 0 });
    const { port } = listener.addr;
    let taken = "";
    try {
      listen({ port });
    } catch (error) {
      taken = String(error).replace(`:${port};`, ":8000;");
    }
    assert.ok(guide.includes(taken) && taken !== "", taken);
    const refused = await connect({ port: 1 }).catch(String);
    assert.ok(guide.includes(String(refused).replace(":1;", ":5432;")), String(refused));
  });

test.run();
