/**
 * `slipway new <name>`: copies a template into a new folder and fills in the name.
 */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errorCode, Failure, UsageError } from "./errors.ts";
import { didYouMean } from "./suggestions.ts";
import { templateFiles, templates } from "./templates.ts";

export interface NewOptions {
  readonly template?: string;
  readonly force?: boolean;
}

/** Stands for the project's name in template files. */
const placeholder = "__NAME__";

/** Makes the project and prints what to do next, in three lines. */
export function newProject(name: string, options: NewOptions): void {
  const template = options.template ?? "http";
  if (!Object.hasOwn(templates, template)) {
    const names = Object.keys(templates);
    throw new UsageError(
      `there is no template '${template}'${didYouMean(template, names)}: choose one of ${names.join(", ")}`,
    );
  }
  const folder = resolve(name);
  const projectName = name === "." ? basename(folder) : name;
  checkName(projectName, name === ".");
  checkFolder(folder, name, options.force === true);
  try {
    // Not recursive: where the system refuses with ENOENT, as /proc does, Node would try for ever.
    if (!existsSync(folder)) mkdirSync(folder);
    for (const [path, content] of templateFiles(template)) {
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, fill(content, projectName.toLowerCase()));
    }
  } catch (error) {
    if (error instanceof Failure || errorCode(error) === "") throw error;
    throw new Failure(`cannot write into ${folder} (${errorCode(error)}): choose a folder that you may write to`);
  }
  const enter = name === "." ? "" : `cd ${name} && `;
  process.stdout.write(
    `Made ${name === "." ? "a server here" : `${name}/`} from the template ${template}.\n` +
      `  ${enter}slipway run server.ts --watch\n` +
      `  slipway compile server.ts -o ${projectName === "server.ts" ? "server" : projectName}\n`,
  );
}

/** One folder name that is also fit to be a package's name: so nothing lands outside of the current folder. */
function checkName(name: string, isHere: boolean): void {
  const reserved = ["node_modules", "favicon.ico"].includes(name.toLowerCase());
  if (/^[a-z0-9][a-z0-9._-]{0,99}$/i.test(name) && !reserved) return;
  if (isHere) {
    throw new Failure(
      `this folder's name, '${name}', cannot be a project's name: use letters, digits, '-', '_' and '.' only`,
    );
  }
  const why = reserved ? "is reserved" : "is no good as a project's name";
  throw new UsageError(
    `'${name}' ${why}: use letters, digits, '-', '_' and '.', beginning with a letter or digit, or '.' for this folder`,
  );
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

function fill(content: Uint8Array, name: string): Uint8Array | string {
  const text = Buffer.from(content).toString("utf8");
  return text.includes(placeholder) ? text.replaceAll(placeholder, name) : content;
}
