/** Completions for fish: one `complete` a flag, each with what it is for. */
import { PROGRAM_ENDINGS, type Value, type Verb } from "../command-spec.ts";

export function fish(verbs: readonly Verb[]): string {
  return `# fish completion for slipway: slipway completions fish
function __slipway_programs
    __fish_complete_path (commandline -ct) | string match -r '.*/(?:\\t.*)?$|.*\\.(?:${PROGRAM_ENDINGS.join("|")})(?:\\t.*)?$'
end

complete -c slipway -f
complete -c slipway -n __fish_use_subcommand -s h -l help -d 'show help'
complete -c slipway -n __fish_use_subcommand -s V -l version -d 'print the version'
${verbs.map(({ name, says }) => `complete -c slipway -n __fish_use_subcommand -a ${name} -d ${quoted(says)}`).join("\n")}
${verbs.map(ofVerb).join("\n")}
`;
}

function ofVerb({ name, flags, words }: Verb): string {
  const start = `complete -c slipway -n '__fish_seen_subcommand_from ${name}'`;
  const lines = flags.map(({ long, short, says, value }) => {
    const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
    return `${start}${letter} -l ${long.slice(2)}${takes(value)} -d ${quoted(says)}`;
  });
  if (words === "program") lines.push(`${start} -a '(__slipway_programs)'`);
  else if (words === "file") lines.push(`${start} -F`);
  else if (typeof words === "object") lines.push(`${start} -a ${quoted(words.words.join(" "))}`);
  return lines.join("\n");
}

function takes(value: Value | undefined): string {
  if (value === undefined) return "";
  if (value === "file") return " -r -F";
  if (value === "program") return " -x -a '(__slipway_programs)'";
  return value === "any" ? " -x" : ` -x -a ${quoted(value.words.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
