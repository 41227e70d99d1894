/**
 * `slipway new <name>`: copies a template into a new folder and fills in the name. What is not said is asked, where somebody
 * is there to answer.
 */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { errorCode, Failure, UsageError } from "./errors.ts";
import { projectNameOf, quoted } from "./project-name.ts";
import { deploysByDefault, findTemplate, type TemplateFiles, templateFiles, templates } from "./templates.ts";

export interface NewOptions {
  readonly template?: string;
  readonly force?: boolean;
  /** Image, Kubernetes, systemd and CI. */
  readonly deploy?: boolean;
  readonly yes?: boolean;
  readonly list?: boolean;
}

/** Makes the project and prints what to do next, in three lines. */
export async function newProject(given: string | undefined, options: NewOptions): Promise<void> {
  if (options.list) return listTemplates();
  const asks = options.yes !== true && process.stdin.isTTY === true && process.stdout.isTTY === true;
  // What was said is checked before anything is asked.
  if (given !== undefined) checkTarget(given, options.force === true);
  if (options.template !== undefined) findTemplate(options.template);
  const answers = asks ? await (await import("./new-questions.ts")).ask(given, options) : undefined;
  const name = given ?? answers?.name;
  if (name === undefined) throw new UsageError("new needs a name: for example, slipway new shop; see slipway help new");
  const template = findTemplate(options.template ?? answers?.template ?? "http");
  const { folder, projectName } = checkTarget(name, options.force === true);
  const deploy = options.deploy ?? answers?.deploy ?? deploysByDefault(template);
  const fill = filling(projectName, templateFiles(template, deploy));
  try {
    // Not recursive: where the system refuses with ENOENT, as /proc does, Node would try for ever.
    if (!existsSync(folder)) mkdirSync(folder);
    for (const [path, content] of fill.files) {
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
    }
  } catch (error) {
    if (error instanceof Failure || errorCode(error) === "") throw error;
    throw new Failure(`cannot write into ${folder} (${errorCode(error)}): choose a folder that you may write to`);
  }
  const enter = name === "." ? "" : `cd ${quoted(name)} && `;
  const next = [fill.dev && enter + fill.dev, fill.test, fill.build]
    .filter(Boolean)
    .map((command) => `  ${command}\n`)
    .join("");
  const what = name === "." ? "a server here" : `${name}/`;
  // Where it is not what the folder is called.
  const as = basename(folder).toLowerCase() === projectName ? "" : `, named ${projectName}`;
  process.stdout.write(`Made ${what} from the template ${template.name}${as}.\n${next}`);
}

function listTemplates(): void {
  const width = Math.max(...Object.keys(templates).map((name) => name.length));
  for (const [name, says] of Object.entries(templates)) process.stdout.write(`${name.padEnd(width)}  ${says}\n`);
}

interface Target {
  readonly folder: string;
  readonly projectName: string;
}

/** Where it goes and what it is called; fails when it can't. */
export function checkTarget(name: string, force: boolean): Target {
  const folder = resolve(name);
  const projectName = projectNameOf(name === "." ? basename(folder) : name, name === ".");
  checkFolder(folder, name, force);
  return { folder, projectName };
}

function checkFolder(folder: string, name: string, force: boolean): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new Failure(`${name} exists and is a file: choose another name`);
  if (force) return;
  const inside = readdirSync(folder).filter((entry) => entry !== ".git");
  if (inside.length === 0) return;
  throw new Failure(
    name === "."
      ? `this folder is not empty (${inside[0]}${inside.length > 1 ? ", …" : ""}): run slipway new in an empty one, or with --force`
      : `the folder ${name} exists already and is not empty: choose another name, or overwrite with --force`,
  );
}

interface Filled {
  readonly files: readonly [string, Uint8Array | string][];
  /** How it is run, tested and compiled, by its package.json. */
  readonly dev: string | undefined;
  readonly test: string | undefined;
  readonly build: string | undefined;
}

/** Puts the project's name where templates have __NAME__, in paths too. */
function filling(name: string, files: TemplateFiles): Filled {
  const scripts = scriptsIn(files);
  const words: Record<string, string> = { NAME: name, LABEL: labelOf(name), VERSION: manifest.version };
  const put = (text: string): string =>
    text.replace(/__(NAME|LABEL|VERSION|BUILD)__/g, (whole, word: string) => words[word] ?? whole);
  const [dev, test, build] = [scripts["dev"], scripts["test"], scripts["build"]].map(
    (command) => command && put(command.replace(/^exec /, "")),
  );
  words["BUILD"] = build ?? `slipway compile server.ts -o ${name}`;
  const filled = [...files].map(([path, content]): [string, Uint8Array | string] => {
    const text = Buffer.from(content).toString("utf8");
    return [put(path), /__(?:NAME|LABEL|VERSION|BUILD)__/.test(text) ? put(text) : content];
  });
  // Called like its own source, it would be compiled over it.
  return { files: filled, dev, test, build: build?.replace(/ -o (server)\.ts$/, " -o $1") };
}

function scriptsIn(files: TemplateFiles): Record<string, string | undefined> {
  try {
    const { scripts } = JSON.parse(Buffer.from(files.get("package.json") ?? "").toString("utf8"));
    return typeof scripts === "object" && scripts !== null ? scripts : {};
  } catch {
    return {};
  }
}

/** What may name a thing in Kubernetes and in a registry of images (RFC 1035): it begins with a letter. */
function labelOf(name: string): string {
  const label = name
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 50)
    .replace(/^-+|-+$/g, "");
  return /^[a-z]/.test(label) ? label : `app-${label}`.replace(/-+$/, "");
}
