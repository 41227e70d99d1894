/**
 * The project around a handler: deno.json's import map, workspace and compiler options. (package.json and tsconfig.json
 * are esbuild's.)
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BundleError } from "./errors.ts";
import { type ImportMap, importMap, type MapSource } from "./import-map.ts";

/** What of deno.json matters to us. */
export interface DenoConfig {
  readonly directory: string;
  readonly map: ImportMap;
  /** The members of the workspace by their names, as `jsr:@scope/name` asks for them. */
  readonly members: readonly string[];
  readonly compilerOptions: Readonly<Record<string, unknown>> | undefined;
  /** The compiler options' file. */
  readonly file: string;
}

/** A deno.json as it is written. */
interface Written extends MapSource {
  readonly name?: string;
  readonly exports?: string | Readonly<Record<string, string>>;
  readonly importMap?: string;
  readonly compilerOptions?: Readonly<Record<string, unknown>>;
  readonly workspace?: readonly string[] | { readonly members?: readonly string[] };
  readonly links?: readonly string[];
  readonly tasks?: Readonly<Record<string, string | { readonly command?: string }>>;
  readonly exclude?: readonly string[];
  readonly test?: ToolOptions;
  readonly bench?: ToolOptions;
}

/** What deno.json says of one of Deno's tools; paths are relative to it. */
export interface ToolOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
}

interface ConfigFile {
  readonly file: string;
  readonly directory: string;
  readonly written: Written;
}

/** What the command line says: `--config` or `--no-config`, and `--import-map`; absolute paths. */
export interface AskedProject {
  readonly config?: string | false | undefined;
  readonly importMap?: string | undefined;
}

let asked: AskedProject = {};

/** From here on, for all that this process bundles. */
export function askProject(given: AskedProject): void {
  asked = given;
}

export function askedProject(): AskedProject {
  return asked;
}

/** The nearest deno.json or deno.jsonc at or above `directory`, and the workspace that it is a member of. */
export function denoConfig(directory: string): DenoConfig | undefined {
  const found = writtenConfig(directory);
  if (asked.importMap === undefined) return found;
  const base = pathToFileURL(asked.importMap).href;
  const map = importMap([{ ...(read(asked.importMap) as MapSource), base }]);
  const none = { directory: dirname(asked.importMap), members: [], compilerOptions: undefined, file: asked.importMap };
  return { ...(found ?? none), map };
}

function writtenConfig(directory: string): DenoConfig | undefined {
  let nearest: ConfigFile | undefined;
  for (const config of configsFrom(directory)) {
    const members = membersOf(config);
    if (nearest === undefined) {
      if (members.length > 0) return joined(config, config, members);
      nearest = config;
    } else if (members.some((member) => member.directory === nearest?.directory)) {
      return joined(nearest, config, members);
    }
  }
  return nearest && joined(nearest, nearest, []);
}

/** The command of a task in the nearest deno.json that has one of this name. */
export function denoTask(directory: string, name: string): string | undefined {
  for (const { written } of configsFrom(directory)) {
    const task = written.tasks?.[name];
    const command = typeof task === "string" ? task : task?.command;
    if (typeof command === "string") return command;
  }
  return undefined;
}

/** What the nearest deno.json says of a tool, its paths made absolute. */
export function toolOptions(directory: string, tool: "test" | "bench"): ToolOptions {
  for (const { written, directory: folder } of configsFrom(directory)) {
    const { exclude = [], [tool]: own = {} } = written;
    const absolute = (paths: readonly string[]) => paths.map((path) => join(folder, path));
    return {
      ...own,
      include: own.include && absolute(own.include),
      exclude: absolute([...exclude, ...(own.exclude ?? [])]),
    };
  }
  return {};
}

/** True when a tsconfig.json lies at or above `directory`, nearer than `config`: then esbuild reads it and deno.json's options rest. */
export function hasTsconfig(directory: string, config: DenoConfig | undefined): boolean {
  for (const folder of upwards(directory)) {
    if (config?.compilerOptions !== undefined && folder === dirname(config.file)) return false;
    if (existsSync(join(folder, "tsconfig.json"))) return true;
  }
  return false;
}

/** What holds for the modules of `nearest`, in the workspace of `root`. */
function joined(nearest: ConfigFile, root: ConfigFile, members: readonly ConfigFile[]): DenoConfig {
  const sources: (MapSource & { base: string })[] = [sourceOf(root)];
  const all = members.includes(root) ? members : [root, ...members];
  for (const member of all) {
    const base = pathToFileURL(member.file).href;
    sources.push({ base, imports: exportsOf(member) });
    const own = member === root ? undefined : sourceOf(member).imports;
    // What a member names is its own affair.
    if (own !== undefined) sources.push({ base, scopes: { "./": own } });
  }
  const options = [root, nearest].map(({ written }) => written.compilerOptions);
  return {
    directory: nearest.directory,
    map: importMap(sources),
    members: all.flatMap(({ written }) => written.name ?? []),
    compilerOptions: options.some((one) => one !== undefined) ? { ...options[0], ...options[1] } : undefined,
    file: nearest.written.compilerOptions === undefined ? root.file : nearest.file,
  };
}

/** The map in the file, or in the file that it names. */
function sourceOf({ file, written }: ConfigFile): MapSource & { base: string } {
  const { imports, scopes, importMap: elsewhere } = written;
  const base = pathToFileURL(file).href;
  if (elsewhere === undefined || imports !== undefined || scopes !== undefined) return { base, imports, scopes };
  const url = new URL(elsewhere, base);
  if (url.protocol !== "file:") {
    throw new BundleError([{ text: `importMap ${elsewhere}: nothing is fetched from the network`, file }]);
  }
  if (!existsSync(url)) throw new BundleError([{ text: `importMap ${elsewhere}: no such file`, file }]);
  return { ...(read(fileURLToPath(url)) as MapSource), base: url.href };
}

/** A package's own names, as its neighbours and itself import them. */
function exportsOf({ written: { name, exports = {} } }: ConfigFile): Record<string, string> {
  if (name === undefined) return {};
  const list = typeof exports === "string" ? { ".": exports } : exports;
  return Object.fromEntries(
    Object.entries(list).map(([path, file]) => [name + path.replace(/^\.\/?/, "/").replace(/\/$/, ""), file]),
  );
}

function membersOf({ directory, written: { workspace = [], links = [] } }: ConfigFile): ConfigFile[] {
  const patterns = [
    ...("members" in workspace ? (workspace.members ?? []) : (workspace as readonly string[])),
    ...links,
  ];
  const folders = patterns.flatMap((pattern) =>
    /[*?[{]/.test(pattern) ? globSync(pattern, { cwd: directory, exclude: ["**/node_modules"] }).sort() : pattern,
  );
  return folders.flatMap((folder) => configIn(join(directory, folder)) ?? []);
}

/** The files that hold for a folder, the nearest first: those at or above it, or the one that was asked for. */
function* configsFrom(directory: string): Generator<ConfigFile> {
  const { config: file } = asked;
  if (file === false) return;
  if (file !== undefined) return void (yield { file, directory: dirname(file), written: read(file) as Written });
  for (const folder of upwards(directory)) {
    const config = configIn(folder);
    if (config !== undefined) yield config;
  }
}

function configIn(folder: string): ConfigFile | undefined {
  const directory = folder.replace(/(?<=.)[\\/]+$/, "");
  for (const name of ["deno.json", "deno.jsonc"]) {
    const file = join(directory, name);
    if (existsSync(file)) return { file, directory, written: read(file) as Written };
  }
  return undefined;
}

function read(file: string): object {
  try {
    const value: unknown = JSON.parse(withoutComments(readFileSync(file, "utf8")) || "{}");
    if (typeof value !== "object" || value === null) throw new Error("an object is expected");
    return value;
  } catch (error) {
    throw new BundleError([{ text: `not valid JSON: ${(error as Error).message}`, file }]);
  }
}

function* upwards(directory: string): Generator<string> {
  for (let folder = directory; ; folder = dirname(folder)) {
    yield folder;
    if (folder === dirname(folder)) return;
  }
}

/** JSON with comments and trailing commas, as Deno reads it, to plain JSON; strings stay as they are. */
export function withoutComments(text: string): string {
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, string) => string ?? " ")
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? "");
}
