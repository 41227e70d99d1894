/**
 * The files that `slipway new` copies. From source they lie in templates/ of the repository; the executable carries
 * the same folder. Files of `templates/shared` (editor settings, types) come with every template; a template's own file
 * of the same name wins.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure } from "./errors.ts";

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

/** A template's files by their path in the new folder. */
export function templateFiles(name: string): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const folder of ["shared", name]) {
    for (const [path, content] of readTree(folder)) files.set(targetPath(path), content);
  }
  return files;
}

/** npm leaves files called .gitignore out of packages, so they travel without their dot. */
function targetPath(path: string): string {
  return path === "gitignore" ? ".gitignore" : path;
}

function readTree(folder: string): [string, Uint8Array][] {
  const root = join(templatesFolder(), folder);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(root, path)).isFile())
    .map((path) => [path.replaceAll("\\", "/"), readFileSync(join(root, path))]);
}

function templatesFolder(): string {
  const folder = fileURLToPath(new URL("../../templates", import.meta.url));
  if (!existsSync(folder)) throw new Failure(`the templates are missing from ${folder}: install slipway again`);
  return folder;
}
