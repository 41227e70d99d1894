// time limit: 300 s
/** check in the executable: what it loads only when it needs it is in there, and names are looked up as from source. */
import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseIp } from "../../src/net/ip.ts";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, run, temporaryFolder } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("check: the executable");
const slipway = await slipwayBinary();
test.after(endProcesses);

const check = (...args: string[]) => run([slipway, "check", ...args], { cwd: temporaryFolder() });

/** Longer than a label may be (RFC 1035, 2.3.4): the C library refuses it, and asks nobody. */
const nowhere = `${"a".repeat(64)}.invalid`;

test("a name without an address is refused in one line", async () => {
  const { code, stdout, stderr } = await check(`http://${nowhere}`, "--quick");
  assert.is(code, 2, stderr);
  assert.is(stdout, "");
  assert.match(stderr, new RegExp(`^slipway: no address for the name "${nowhere}" \\(.*\\n$`));
});

const name = loopbackName();
test(`a name of /etc/hosts that leads to loopback is attacked${name === undefined ? " (there is none here)" : ""}`, async () => {
  if (name === undefined) return;
  // Nothing listens at port 1: that it was tried is all that is asked.
  const { code, stderr } = await check(`http://${name}:1`, "--quick");
  assert.is(code, 2, stderr);
  assert.match(stderr, /\nslipway: Connection refused .*; nothing listens there\n$/);
});

test("https is there", async () => {
  const { code, stderr } = await check("https://127.0.0.1:1", "--quick");
  assert.is(code, 2, stderr);
  assert.match(stderr, /\nslipway: Connection refused .*127\.0\.0\.1:1; nothing listens there\n$/);
});

test("the parser is there, and esbuild's words for what it refuses", async () => {
  const folder = project({ "a.ts": 'await fetch("https://example.com");\n', "b.ts": "const = 3;\n" });
  const found = await run([slipway, "check", "a.ts", "--json"], { cwd: folder });
  assert.is(found.code, 1, found.stderr);
  assert.is(JSON.parse(found.stdout).findings[0].id, "fetch-without-timeout");
  const broken = await run([slipway, "check", "b.ts", "--json"], { cwd: folder });
  assert.is(broken.code, 1, broken.stderr);
  assert.match(JSON.parse(broken.stdout).findings[0].harm, /^Expected identifier but found "="/);
});

test("programs look names up too, run and compiled: Deno.connect and Deno.resolveDns", async () => {
  // A resolver that is nobody: both fail, and the way they fail tells that they were loaded.
  const folder = project({
    "client.ts": `const message = (error) => console.log(error.message);
await Deno.connect({ hostname: "${nowhere}", port: 1 }).catch(message);
await Deno.resolveDns("shop.test", "A", { nameServer: { ipAddr: "127.0.0.1", port: 1 } }).catch(message);
`,
  });
  const compiled = await run([slipway, "compile", "client.ts", "-o", "client"], { cwd: folder });
  assert.is(compiled.code, 0, compiled.stderr);
  for (const command of [[slipway, "run", "client.ts"], ["./client"]]) {
    const { stdout, stderr } = await run(command, { cwd: folder });
    assert.match(
      stdout,
      new RegExp(`^no address for the name "${nowhere}".*\\nquery\\w+ ECONNREFUSED shop\\.test\\n$`),
      stderr,
    );
  }
});

/** A name that only /etc/hosts gives, all of whose addresses are loopback; localhost itself asks nobody. */
function loopbackName(): string | undefined {
  if (!existsSync("/etc/hosts")) return undefined;
  const addresses = new Map<string, string[]>();
  for (const line of readFileSync("/etc/hosts", "utf8").split("\n")) {
    const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    for (const one of names) addresses.set(one, [...(addresses.get(one) ?? []), address]);
  }
  const loopback = (address: string) => parseIp(address) !== undefined && /^(?:127\.|::1$)/.test(address);
  for (const [one, all] of addresses) {
    if (!/(?:^|\.)localhost$/.test(one) && /^[a-z0-9.-]+$/.test(one) && all.every(loopback)) return one;
  }
  return undefined;
}

test.run();
