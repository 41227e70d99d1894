/** The documentation as a folder of pages that need nothing but a browser: no network, no server. */
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { apiPages } from "./api.ts";
import { type Source, sources } from "./pages.ts";
import { type Rendered, render } from "./render.ts";
import { type Shown, shell } from "./shell.ts";

export interface Site {
  readonly pages: number;
  /** A sentence for each link that leads nowhere. */
  readonly broken: readonly string[];
}

/** Writes it to `output`, which is emptied before. `types`: where the declarations of the library are, for its reference. */
export function buildSite(repository: string, output: string, types?: string): Site {
  const all = [...sources(repository), ...(types === undefined ? [] : apiPages(types))];
  const targets = new Map(all.map(({ path, target }) => [path, target]));
  const elsewhere = new Map<string, string>();
  const rendered = all.map((source) => render(source, (path) => targetOf(path)));
  const pages = all.map(({ target, group, title }, index): Shown => ({ target, group, title, ...rendered[index] }));

  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  for (const page of pages) writeFileSync(join(output, page.target), shell(page, pages));
  for (const [path, target] of elsewhere) {
    mkdirSync(dirname(join(output, target)), { recursive: true });
    cpSync(join(repository, path), join(output, target), { recursive: true });
  }
  for (const name of ["style.css", "search.js"]) copyFileSync(join(import.meta.dirname, name), join(output, name));
  const index = pages.flatMap(({ target, title, sections }) =>
    sections.map(({ anchor, heading, text }) => [target, title, anchor, heading, text]),
  );
  // A script and not JSON: a page from a disk may not fetch.
  writeFileSync(join(output, "search-index.js"), `globalThis.slipwayIndex = ${JSON.stringify(index)};\n`);
  return { pages: pages.length, broken: broken(repository, all, rendered) };

  /** Files that pages show or point to, and which are no pages, come along. */
  function targetOf(path: string): string | undefined {
    const page = targets.get(path);
    if (page !== undefined) return page;
    if (!existsSync(join(repository, path))) return undefined;
    const target = path.replace(/^docs\//, "");
    elsewhere.set(path, target);
    return target;
  }
}

function broken(repository: string, all: readonly Source[], rendered: readonly Rendered[]): string[] {
  const anchors = new Map(all.map(({ path }, index) => [path, rendered[index].anchors]));
  return all.flatMap(({ path }, index) =>
    rendered[index].links.flatMap((href) => {
      const [file, anchor] = href.split("#", 2);
      const target = file === "" ? path : posix.join(posix.dirname(path), file);
      const there = anchors.get(target);
      if (there === undefined && !existsSync(join(repository, target)))
        return [`${path}: ${href}: there is no ${target}`];
      if (anchor !== undefined && there !== undefined && !there.has(anchor))
        return [`${path}: ${href}: ${target} has no heading of that name`];
      return [];
    }),
  );
}
