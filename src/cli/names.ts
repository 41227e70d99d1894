import { relative } from "node:path";

/** A file as messages name it: from the current folder when it is below it. */
export function shownName(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}
