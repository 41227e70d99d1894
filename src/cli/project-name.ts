/** From a folder's name to a project's: what names a package, an executable, a service and an image at once. */
import { Failure, UsageError } from "./errors.ts";

/** npm takes no package of these names. */
const RESERVED = ["node_modules", "favicon.ico"];
/** Letters that Unicode does not take apart into one of a to z and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  ł: "l",
  þ: "th",
};

/** "My Lädchen" becomes my-ladchen. `isHere`: it is the current folder, whose name nobody typed just now. */
export function projectNameOf(folder: string, isHere: boolean): string {
  const name = folder
    .toLowerCase()
    .replace(/[ßæœøđðłþ]/g, (letter) => LETTERS[letter])
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
    .slice(0, 100);
  if (RESERVED.includes(name)) throw refused(folder, isHere, "is reserved");
  // A path would land outside of the current folder, or deep in it; a name that begins with - looks like a flag.
  if (!isHere && (folder.length > 100 || /^[-.]|[\\/:*?"<>|\p{Cc}]/u.test(folder)))
    throw refused(folder, isHere, "is no good as a project's name");
  if (name === "") throw refused(folder, isHere, "gives a package no name");
  return name;
}

function refused(folder: string, isHere: boolean, why: string): Failure {
  const use = "use letters (a to z at least one), digits, '-', '_' and '.', beginning with a letter or digit";
  return isHere
    ? new Failure(
        `this folder's name, '${folder}', ${why}: rename it, or make the project in a new one: slipway new shop`,
      )
    : new UsageError(`'${folder}' ${why}: ${use}, or '.' for this folder`);
}

/** A word of a command as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./@%+,:=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
