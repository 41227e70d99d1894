/**
 * A place where the kernel executes arm64 programs: a user namespace with a binfmt_misc of its own (Linux 6.7), where
 * qemu is their interpreter. user_namespaces(7), Documentation/admin-guide/binfmt-misc.rst.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import type { Readable, Writable } from "node:stream";

/**
 * What an arm64 executable begins with (elf.h: 64 bits, little-endian, EM_AARCH64), and which of those bits matter.
 * F: the interpreter is opened now, whatever is mounted later. P: it is told argv[0]. O: and is given the file open.
 */
const MAGIC = `\\x7fELF\\x02\\x01\\x01${"\\x00".repeat(9)}\\x02\\x00\\xb7\\x00`;
const MASK = `${"\\xff".repeat(7)}\\x00${"\\xff".repeat(8)}\\xfe\\xff\\xff\\xff`;
const BINFMT = "/proc/sys/fs/binfmt_misc";
/** Root's: all users there are, so that programs can become others. Who is not root becomes root there, and nobody else. */
const EVERYBODY = "0 0 4294967295";

/** Why this machine has no such place; "" if it has. */
export function noNamespace(): string {
  const tried = spawnSync(
    "unshare",
    ["--user", "--map-root-user", "--mount", "mount", "-t", "binfmt_misc", "none", BINFMT],
    { encoding: "utf8" },
  );
  if (tried.status === 0) return "";
  const said = tried.stderr.trim().split("\n")[0];
  return `kernel ${release()} gives no binfmt_misc to a user namespace (Linux 6.7 does, where these are allowed): ${said}`;
}

/** Runs a command there, with some files or folders replaced (`[by, what]`); gives its exit code. */
export async function inNamespace(
  qemu: string,
  replaced: readonly (readonly [string, string])[],
  command: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<number> {
  const script = [
    `mount -t binfmt_misc none ${BINFMT}`,
    `printf '%s' ':slipway-arm64:M::${MAGIC}:${MASK}:${qemu}:POF' >${BINFMT}/register`,
    ...replaced.map(([by, what]) => `mount --bind '${by}' '${what}'`),
    'exec "$@" 3>&- 4<&-',
  ].join(" && ");
  const asRoot = process.getuid?.() === 0;
  // Who may do what there depends on the map at execve(2): so the shell that mounts is a second one.
  const waits = `echo unshared >&3; read -r _ <&4; exec sh -c "$0" sh "$@"`;
  const flags = asRoot ? ["--user", "--mount"] : ["--user", "--map-root-user", "--mount"];
  const child = spawn("unshare", [...flags, "sh", "-c", waits, script, ...command], {
    ...options,
    stdio: ["inherit", "inherit", "inherit", "pipe", "pipe"],
  });
  const [, , , unshared, go] = child.stdio as [null, null, null, Readable, Writable];
  // From the terminal it gets them as we do.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const ended = once(child, "exit") as Promise<[number | null]>;
  await Promise.race([once(unshared, "data"), ended]);
  if (asRoot && child.exitCode === null) {
    for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${child.pid}/${map}`, EVERYBODY);
  }
  go.on("error", () => {}).end("\n");
  return (await ended)[0] ?? 1;
}
