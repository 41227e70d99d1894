/** The fenced blocks of all pages, and of the READMEs that templates bring. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../../support/process.ts";

export interface Block {
  /** From the repository's folder: docs/tls.md. */
  readonly page: string;
  readonly line: number;
  /** What stands behind the fence. */
  readonly language: string;
  readonly text: string;
}

const list = (folder: string): string[] => readdirSync(join(repository, folder));

export const pages: readonly string[] = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...list("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export const templatePages: readonly string[] = [
  ...list("templates").map((name) => `templates/${name}/README.md`),
  "templates/deploy/deploy/README.md",
].filter((path) => existsSync(join(repository, path)));

export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(repository, page), "utf8");
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: code, index }) => ({
    page,
    line: text.slice(0, index).split("\n").length,
    language,
    text: code,
  }));
}
