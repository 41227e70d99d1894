/** What stands around a page: the menu, the search, the way on. */
import type { Source } from "./pages.ts";
import { escaped, type Section } from "./render.ts";

export interface Shown extends Pick<Source, "target" | "group" | "title"> {
  readonly html: string;
  readonly sections: readonly Section[];
}

/** A whole page. `pages`: all, in the menu's order. */
export function shell(page: Shown, pages: readonly Shown[]): string {
  const at = pages.indexOf(page);
  const way = (other: Shown | undefined, rel: string, arrow: string) =>
    other === undefined
      ? "<span></span>"
      : `<a rel="${rel}" href="${other.target}">${arrow.replace("x", escaped(other.title))}</a>`;
  const inner = page.sections.filter(({ level }) => level === 2);
  const contents = inner.length < 2 ? "" : `<nav class="contents" aria-label="On this page"><h2>On this page</h2><ul>${inner
    .map(({ anchor, heading }) => `<li><a href="#${anchor}">${escaped(heading)}</a></li>`)
    .join("")}</ul></nav>`; // biome-ignore format: one line
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title === "Slipway" ? "Slipway" : `${escaped(page.title)} · Slipway`}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
<script src="search-index.js" defer></script>
<script src="search.js" defer></script>
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header>
<a class="home" href="index.html">Slipway</a>
<input type="checkbox" id="open-menu" class="toggle" aria-label="Show the menu"><label for="open-menu" aria-hidden="true">Menu</label>
<div class="search"><input id="search" type="search" placeholder="Search  /" aria-label="Search" autocomplete="off" spellcheck="false" role="combobox" aria-expanded="false" aria-controls="found"><ul id="found" role="listbox" hidden></ul></div>
</header>
<nav class="menu" aria-label="Pages">
${menu(page, pages)}
</nav>
<main id="content">
${page.html}
<nav class="ways" aria-label="Before and after">${way(pages[at - 1], "prev", "← x")}${way(pages[at + 1], "next", "x →")}</nav>
</main>
${contents}
</body>
</html>
`;
}

function menu(page: Shown, pages: readonly Shown[]): string {
  const groups = [...new Set(pages.map(({ group }) => group))];
  return groups
    .map((group) => {
      const items = pages
        .filter((other) => other.group === group)
        .map((other) => `<li><a href="${other.target}"${other === page ? ' aria-current="page"' : ""}>${escaped(other.title)}</a></li>`); // biome-ignore format: one line
      return `<h2>${escaped(group)}</h2><ul>${items.join("")}</ul>`;
    })
    .join("\n");
}
