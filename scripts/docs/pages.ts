/** Which pages the site has, in which order, and where each comes from. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Source {
  /** Where it lies in the repository: docs/tls.md. */
  readonly path: string;
  /** Where it lies in the site: tls.html. */
  readonly target: string;
  readonly group: string;
  readonly markdown: string;
  /** Its first heading. */
  readonly title: string;
}

/** The groups of the menu, and what is in each, by file name; a page that is in none comes under the last. */
const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ["Begin", ["README.md"]],
  ["Guides", ["1-handler.md", "2-run.md", "3-net.md", "4-compile.md", "targets.md", "5-architecture.md"]],
  ["Protocols", ["tls.md", "http2.md", "websocket.md", "compression.md", "client.md", "proxy.md", "static.md"]],
  [
    "In production",
    ["templates.md", "limits.md", "operations.md", "live.md", "check.md", "check-live.md", "performance.md"],
  ],
  ["Coming from", ["from-deno.md", "from-node.md", "from-bun.md", "from-go.md", "from-nginx.md"]],
  ["Reference", ["compare.md", "deno.md", "test.md", "library.md", "windows.md"]],
  ["The project", ["CONTRIBUTING.md", "adding-an-os.md", "SECURITY.md", "CHANGELOG.md"]],
];
const REST = "Reference";
const AT_THE_TOP = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

/** All pages, as the menu shows them. */
export function sources(repository: string): Source[] {
  const docs = readdirSync(join(repository, "docs")).filter((name) => name.endsWith(".md"));
  const paths = new Map<string, string>();
  for (const name of AT_THE_TOP) paths.set(name, name);
  for (const name of docs.sort()) paths.set(name, `docs/${name}`);
  const grouped = new Set(GROUPS.flatMap(([, names]) => names));
  return GROUPS.flatMap(([group, names]) => {
    const rest = group === REST ? [...paths.keys()].filter((name) => !grouped.has(name)) : [];
    return [...names, ...rest].flatMap((name) => {
      const path = paths.get(name);
      return path === undefined ? [] : [source(repository, path, group)];
    });
  });
}

function source(repository: string, path: string, group: string): Source {
  const markdown = readFileSync(join(repository, path), "utf8");
  const title = /^# (.+)$/m.exec(markdown)?.[1];
  if (title === undefined) throw new Error(`${path}: has no heading "# …"`);
  return { path, target: targetOf(path), group, markdown, title: title.replaceAll("`", "") };
}

function targetOf(path: string): string {
  if (path === "README.md") return "index.html";
  return path
    .replace(/^docs\//, "")
    .replace(/\.md$/, ".html")
    .toLowerCase();
}
