/** The guides that `slipway help` knows: all of docs/. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Guide {
  readonly name: string;
  /** In docs/. */
  readonly file: string;
  readonly says: string;
}

/** In the order in which somebody new would read them. */
const known: readonly Guide[] = [
  { name: "handler", file: "1-handler.md", says: "what a handler gets and gives" },
  { name: "run", file: "2-run.md", says: "slipway run: what a file may be, --watch, development" },
  { name: "net", file: "3-net.md", says: "TCP, Unix sockets and UDP: listen, connect, Conn" },
  { name: "compile", file: "4-compile.md", says: "one executable, what is in it and what it needs" },
  { name: "targets", file: "targets.md", says: "executables for other systems, and what of them was tried" },
  { name: "limits", file: "limits.md", says: "every limit, its default and when to change it; the drain" },
  { name: "operations", file: "operations.md", says: "logs, metrics, health, signals, containers, systemd" },
  { name: "tls", file: "tls.md", says: "certificates, versions, sessions, client certificates" },
  { name: "http2", file: "http2.md", says: "HTTP/2: what is served, bounded and refused" },
  { name: "websocket", file: "websocket.md", says: "WebSockets on the server" },
  { name: "client", file: "client.md", says: "fetch: its pool and its timeouts" },
  { name: "proxy", file: "proxy.md", says: "a reverse proxy in one line" },
  { name: "compression", file: "compression.md", says: "what is compressed, and what never" },
  { name: "check", file: "check.md", says: "the rules of slipway check for code" },
  { name: "check-live", file: "check-live.md", says: "the attacks of slipway check on a server" },
  { name: "templates", file: "templates.md", says: "what slipway new makes, and the files for production" },
  { name: "test", file: "test.md", says: "slipway test and bench" },
  { name: "static", file: "static.md", says: "files and folders of files" },
  { name: "live", file: "live.md", says: "the live page of the admin port" },
  { name: "deno", file: "deno.md", says: "every member of the namespace Deno, and what becomes of it here" },
  { name: "from-deno", file: "from-deno.md", says: "you had, you write: Deno" },
  { name: "from-node", file: "from-node.md", says: "Node and Express" },
  { name: "from-bun", file: "from-bun.md", says: "Bun" },
  { name: "from-go", file: "from-go.md", says: "Go's net/http" },
  { name: "from-nginx", file: "from-nginx.md", says: "nginx in front of Node" },
  { name: "compare", file: "compare.md", says: "beside Go, Deno, Bun and Node: speed, attacks, what is there" },
  { name: "library", file: "library.md", says: "the same as a library, under Node and Deno" },
  { name: "exit-codes", file: "exit-codes.md", says: "what the exit code of each verb says" },
  { name: "performance", file: "performance.md", says: "what was measured, and how" },
  { name: "adding-an-os", file: "adding-an-os.md", says: "what a new operating system takes, and how it is proven" },
  { name: "architecture", file: "5-architecture.md", says: "how it is built, a request's way through it" },
];

/** Beside us, in the repository, the npm package and the executable alike. */
export const guidesFolder: string = fileURLToPath(new URL("../../../docs", import.meta.url));

let found: readonly Guide[] | undefined;

/** Those, and whatever else there is, by its title. */
export function guides(): readonly Guide[] {
  if (found !== undefined) return found;
  const files = existsSync(guidesFolder) ? readdirSync(guidesFolder).filter((file) => file.endsWith(".md")) : [];
  const others = files.filter((file) => known.every((guide) => guide.file !== file));
  found = [
    ...known.filter(({ file }) => files.includes(file)),
    ...others.sort().map((file) => ({ name: file.replace(/^\d+-|\.md$/g, ""), file, says: titleOf(file) })),
  ];
  return found;
}

function titleOf(file: string): string {
  return /^# (.*)/m.exec(readFileSync(join(guidesFolder, file), "utf8"))?.[1] ?? file;
}

/** By its name, or that of its file. */
export function guideOf(word: string): Guide | undefined {
  const name = word.replace(/^(?:\.\/)?docs\//, "").replace(/\.md$/, "");
  return guides().find((guide) => guide.name === name || guide.file === `${name}.md`);
}

/** As `slipway help` shows them. */
export function guidesHelp(): string {
  const width = Math.max(0, ...guides().map(({ name }) => name.length));
  const list = guides().map(({ name, says }) => `  ${name.padEnd(width)}  ${says}`);
  return `\nGuides (slipway help <guide>; where a verb has that name: slipway help <verb> --guide):\n${list.join("\n")}`;
}
