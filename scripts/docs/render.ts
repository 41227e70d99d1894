/** Markdown → HTML with GitHub's anchors, so that links hold there and here; and what the search finds on a page. */
import { posix } from "node:path";
import { Marked, type Tokens } from "marked";
import type { Source } from "./pages.ts";

export interface Section {
  /** "" for what stands before the first heading below the title. */
  readonly anchor: string;
  readonly heading: string;
  readonly level: number;
  readonly text: string;
}

export interface Rendered {
  readonly html: string;
  readonly sections: readonly Section[];
  readonly anchors: ReadonlySet<string>;
  /** Links to other files of the repository, as written. */
  readonly links: readonly string[];
}

/** `target`: where in the site a path of the repository is, if it is there. */
export function render(
  source: Pick<Source, "path" | "markdown">,
  target: (path: string) => string | undefined,
): Rendered {
  const anchors = new Set<string>();
  const links: string[] = [];
  const sections: { anchor: string; heading: string; level: number; text: string }[] = [
    { anchor: "", heading: "", level: 1, text: "" },
  ];
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const anchor = unique(slug(plain(text)), anchors);
        if (depth === 1) sections[0].heading = plain(text);
        else sections.push({ anchor, heading: plain(text), level: depth, text: "" });
        const inner = this.parser.parseInline(tokens);
        return `<h${depth} id="${anchor}">${inner}<a class="anchor" href="#${anchor}" aria-label="Link to this section">#</a></h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        return `<a href="${escaped(resolved(href))}">${this.parser.parseInline(tokens)}</a>`;
      },
      image({ href, text }: Tokens.Image) {
        return `<img src="${escaped(resolved(href))}" alt="${escaped(text)}" loading="lazy">`;
      },
      code({ text, lang }: Tokens.Code) {
        const language = (lang ?? "").split(/\s/, 1)[0];
        return `<pre><code class="language-${escaped(language)}">${coloured(text, language)}</code></pre>\n`;
      },
      html({ text }: Tokens.HTML | Tokens.Tag) {
        return text.startsWith("<!--") ? "" : text;
      },
      table({ header, rows }: Tokens.Table) {
        const row = (cells: readonly Tokens.TableCell[], tag: string) =>
          `<tr>${cells.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join("")}</tr>`;
        const body = rows.map((cells) => row(cells, "td")).join("\n");
        return `<div class="table"><table><thead>${row(header, "th")}</thead><tbody>\n${body}\n</tbody></table></div>\n`;
      },
    },
  });
  const tokens = marked.lexer(source.markdown);
  const html = marked.parser(tokens);
  let at = 0;
  for (const token of tokens) {
    if (token.type === "heading" && token.depth > 1) at++;
    else if (token.type !== "heading") sections[at].text += ` ${plain(token.raw)}`;
  }
  return { html, sections, anchors, links };

  function resolved(href: string): string {
    if (/^[a-z]+:/i.test(href)) return href;
    links.push(href);
    const [file, fragment] = href.split("#", 2);
    const end = fragment === undefined ? "" : `#${fragment}`;
    if (file === "") return end;
    return `${target(posix.join(posix.dirname(source.path), file)) ?? file}${end}`;
  }
}

/** As GitHub makes anchors of headings. */
export function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
    .replaceAll(" ", "-");
}

function unique(name: string, taken: Set<string>): string {
  let result = name;
  for (let n = 1; taken.has(result); n++) result = `${name}-${n}`;
  taken.add(result);
  return result;
}

/** The words of a piece of Markdown. */
function plain(markdown: string): string {
  return markdown
    .replace(/<!--[\s\S]*?-->/g, " ")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^```.*$/gm, " ")
    .replace(/[`*|]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const WORDS =
  "await|async|break|class|const|continue|default|else|export|extends|for|from|function|if|import|in|interface|let|new|of|return|static|switch|throw|try|catch|finally|type|typeof|using|while|yield";
const TYPESCRIPT = new RegExp(
  `(?<comment>//.*$|/\\*[\\s\\S]*?\\*/)|(?<string>"(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\`)|(?<word>\\b(?:${WORDS})\\b)`,
  "gm",
);
const SHELL = /(?<comment>(?<=^|\s)#.*$)|(?<string>"[^"\n]*"|'[^'\n]*')/gm;
const COLOURS: Readonly<Record<string, RegExp>> = {
  ts: TYPESCRIPT,
  js: TYPESCRIPT,
  sh: SHELL,
  yaml: SHELL,
  ini: SHELL,
  toml: SHELL,
};

/** Comments, strings and keywords: what the eye looks for. */
function coloured(code: string, language: string): string {
  const pattern = COLOURS[language];
  if (pattern === undefined) return escaped(code);
  let html = "";
  let at = 0;
  for (const match of code.matchAll(pattern)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    html += `${escaped(code.slice(at, match.index))}<span class="${kind}">${escaped(match[0])}</span>`;
    at = match.index + match[0].length;
  }
  return html + escaped(code.slice(at));
}
