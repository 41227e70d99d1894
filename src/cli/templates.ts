/**
 * The files that `slipway new` copies. From source they lie in templates/ of the repository; the executable carries
 * the same folder. Files of `templates/shared` (editor settings, types) come with each of our templates, those of
 * `templates/deploy` (image, Kubernetes, systemd, CI) where they are wanted; a template's own file of the same name wins.
 *
 * A folder, or an npm package, is a template as well: as it is, with the project's name filled in.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure, UsageError } from "./errors.ts";
import { didYouMean } from "./suggestions.ts";

/** What there is to choose from, the default first, with the line that help shows. */
export const templates: Readonly<Record<string, string>> = {
  http: "an HTTP server: routes, JSON, a streamed response, a page (the default)",
  api: "a JSON API over SQLite: Hono, validation, OpenAPI; nothing to install",
  websocket: "a chat that people open in a browser",
  static: "a folder of files: a site, or a single-page application",
  tcp: "a TCP server: line chat, a task per connection",
  proxy: "a reverse proxy: TLS in front, several applications behind it",
  minimal: "one file",
};

export type TemplateFiles = ReadonlyMap<string, Uint8Array>;

/** Where a template's files are. */
export type Template =
  | { readonly kind: "ours"; readonly name: string }
  | { readonly kind: "folder"; readonly name: string; readonly path: string };

/** The template that a word names: one of ours, `./folder`, or `npm:package` from the nearest node_modules. */
export function findTemplate(word: string): Template {
  if (Object.hasOwn(templates, word)) return { kind: "ours", name: word };
  if (word.startsWith("npm:")) return { kind: "folder", name: word, path: packageFolder(word.slice("npm:".length)) };
  if (/^\.{0,2}[\\/]|^\.{1,2}$/.test(word)) {
    const path = resolve(word);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new Failure(`there is no folder ${word} to take as a template`);
    }
    return { kind: "folder", name: word, path };
  }
  const names = Object.keys(templates);
  throw new UsageError(
    `there is no template '${word}'${didYouMean(word, names)}: choose one of ${names.join(", ")}, or a folder (./template) or a package (npm:package)`,
  );
}

/** `minimal` is to stay one file to look at. */
export function deploysByDefault({ kind, name }: Template): boolean {
  return kind === "ours" && name !== "minimal";
}

/** A template's files by their path in the new folder. */
export function templateFiles(template: Template, deploy: boolean): TemplateFiles {
  const files = new Map<string, Uint8Array>();
  const deployment = new Map(readTree(join(templatesFolder(), "deploy")));
  if (template.kind === "ours") {
    for (const [path, content] of readTree(join(templatesFolder(), "shared"))) files.set(path, content);
  }
  if (deploy) for (const [path, content] of deployment) files.set(path, content);
  const path = template.kind === "ours" ? join(templatesFolder(), template.name) : template.path;
  for (const [path_, content] of readTree(path)) {
    if (template.kind === "ours" && !deploy && deployment.has(path_)) continue;
    files.set(path_, content);
  }
  return files;
}

/** npm leaves files called .gitignore out of packages, so they travel without their dot. */
function targetPath(path: string): string {
  return path.replace(/^(?=(?:gitignore|dockerignore|gitlab-ci\.yml|github\/.*)$)/, ".");
}

/** Never copied with a template: what was installed, history, and the notes of systems. */
const SKIPPED = new Set(["node_modules", ".git", ".DS_Store"]);
const LARGEST = 64 * 1024 * 1024;

function readTree(root: string): [string, Uint8Array][] {
  const found: [string, Uint8Array][] = [];
  let size = 0;
  const walk = (below: string): void => {
    for (const name of readdirSync(join(root, below)).sort()) {
      if (SKIPPED.has(name)) continue;
      const path = below === "" ? name : `${below}/${name}`;
      const stat = lstatSync(join(root, path));
      if (stat.isDirectory()) walk(path);
      // Links are not followed: what they lead to is not the template's to give away.
      if (!stat.isFile()) continue;
      size += stat.size;
      if (size > LARGEST) throw new Failure(`${root} has more than 64 MiB in it: that is no template`);
      found.push([targetPath(path), readFileSync(join(root, path))]);
    }
  };
  walk("");
  return found;
}

/** A package's folder `template`, or the whole of it. */
function packageFolder(name: string): string {
  if (!/^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/i.test(name)) {
    throw new UsageError(`'npm:${name}' names no package: write npm:name or npm:@scope/name, without a version`);
  }
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (existsSync(path)) {
      const template = join(path, "template");
      return existsSync(template) ? template : path;
    }
    if (folder === dirname(folder)) break;
  }
  throw new Failure(
    `there is no package ${name} in node_modules here or above: npm install --no-save ${name} brings it`,
  );
}

function templatesFolder(): string {
  const folder = fileURLToPath(new URL("../../templates", import.meta.url));
  if (!existsSync(folder)) throw new Failure(`the templates are missing from ${folder}: install slipway again`);
  return folder;
}
