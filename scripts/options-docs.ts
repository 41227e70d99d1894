/**
 * Writes the tables of docs/limits.md from the option table, between `<!-- options: groups -->` and `<!-- /options -->`.
 *
 *     node scripts/options-docs.ts            write
 *     node scripts/options-docs.ts --check    end with 1 if that would change anything, or a section is missing
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { placeholder } from "../src/options/help.ts";
import { units } from "../src/options/limits.ts";
import { flagOf, type Option, optionTable } from "../src/options/table.ts";
import { showValue } from "../src/options/value.ts";
import { slug } from "./docs/render.ts";

const docs = new URL("../docs/", import.meta.url);
const page = new URL("limits.md", docs);

/** The page with its tables as they should be. */
export function withTables(text: string): string {
  return text.replaceAll(/(<!-- options: (.*?) -->\n)[\s\S]*?(<!-- \/options -->)/g, (_, begin, groups, end) => {
    const names = (groups as string).split(/,\s*/);
    return `${begin}${table(optionTable.filter(({ group }) => names.includes(group)))}${end}`;
  });
}

/** Options whose page or heading does not exist. */
export function missingSections(): string[] {
  return optionTable.flatMap(({ name, section }) => {
    const [file, anchor] = section.split("#");
    const path = new URL(file, docs);
    if (!existsSync(path)) return [`${name}: docs/${file} is missing`];
    const headings = [...readFileSync(path, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading));
    return headings.includes(anchor) ? [] : [`${name}: docs/${file} has no heading for #${anchor}`];
  });
}

function table(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const flag = `\`--${flagOf(option)}${placeholder(option)}\``.replaceAll("|", "\\|");
    return `| [\`${option.name}\`](${link(option)}) | ${flag} | ${defaultOf(option)} | ${range(option)} | ${option.says} |`;
  });
  return `\n| option | flag | default | may be | what it is |\n|---|---|---|---|---|\n${rows.join("\n")}\n\n`;
}

function link({ section }: Option): string {
  return section.startsWith("limits.md#") ? section.slice("limits.md".length) : section;
}

function defaultOf(option: Option): string {
  if (option.kind === "list") return "";
  return showValue(option, option.default);
}

/** `1ms to 576h, none`. */
function range(option: Option): string {
  if (option.kind === "choice") return option.choices.join(", ");
  if (!("bounds" in option)) return "";
  const { min, max, zero, none, auto } = option.bounds;
  const { show } = units[option.kind];
  const words = [zero !== undefined && "0", auto !== undefined && "auto", none && "none"].filter(Boolean);
  return [`${show(min)} to ${show(max)}`, ...words].join(", ");
}

if (import.meta.main) {
  const text = readFileSync(page, "utf8");
  const written = withTables(text);
  if (process.argv.includes("--check")) {
    const wrong = missingSections();
    if (written !== text)
      wrong.push("docs/limits.md is not what the option table says: run node scripts/options-docs.ts");
    for (const line of wrong) console.error(line);
    process.exitCode = wrong.length > 0 ? 1 : 0;
  } else writeFileSync(page, written);
}
