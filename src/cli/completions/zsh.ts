/** Completions for zsh, by its own _arguments: flags and words with what they are for. */
import { type Flag, PROGRAM_ENDINGS, type Value, type Verb } from "../command-spec.ts";

export function zsh(verbs: readonly Verb[]): string {
  const list = verbs.map(({ name, says }) => `    ${quoted(`${name}:${says}`)}`);
  return `#compdef slipway
# zsh completion for slipway: slipway completions zsh
_slipway() {
  local context state state_descr line
  typeset -A opt_args
  local -a verbs
  verbs=(
${list.join("\n")}
  )
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '(-V --version)'{-V,--version}'[print the version]' \\
    '1:verb:->verb' '*::argument:->rest'
  case $state in
    verb) _describe verb verbs ;;
    rest)
      case $line[1] in
${verbs.map(verbCase).join("\n")}
      esac ;;
  esac
}

# Sourced by eval, or loaded from a folder of fpath.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _slipway "$@"; else compdef _slipway slipway; fi
`;
}

function verbCase({ name, flags, words }: Verb): string {
  const specs = flags.map(flagSpec);
  if (words !== undefined) specs.push(quoted(`*:${words === "program" ? "program" : "word"}:${action(words)}`));
  return `        ${name}) _arguments -s \\\n          ${specs.join(" \\\n          ")} ;;`;
}

function flagSpec({ long, short, says, value, shown, repeats }: Flag): string {
  const explained = `[${says.replace(/[\\[\]]/g, "\\$&")}]`;
  const takes = value === undefined ? "" : `:${(shown ?? "value").replaceAll(":", "\\:")}:${action(value)}`;
  const equals = value === undefined ? "" : "=";
  if (repeats) return quoted(`*${long}${equals}${explained}${takes}`);
  if (short === undefined) return quoted(`${long}${equals}${explained}${takes}`);
  return `${quoted(`(${short} ${long})`)}{${short}${value === undefined ? "" : "+"},${long}${equals}}${quoted(`${explained}${takes}`)}`;
}

function action(value: Value): string {
  if (value === "program") return `_files -g "*.(${PROGRAM_ENDINGS.join("|")})(-.) *(-/)"`;
  if (value === "file") return "_files";
  return value === "any" ? " " : `(${value.words.join(" ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
