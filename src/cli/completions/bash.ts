/** Completions for bash 3.2 and later: macOS still brings that one. */
import { PROGRAM_ENDINGS, type Value, type Verb } from "../command-spec.ts";

export function bash(verbs: readonly Verb[]): string {
  return `# bash completion for slipway: slipway completions bash
_slipway() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} verb= i
  COMPREPLY=()
  # bash takes --flag=value for three words.
  if [[ $cur == "=" ]]; then cur=; elif [[ $prev == "=" ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    # Behind -- stands what is the program's own.
    [[ \${COMP_WORDS[i]} == -- ]] && { _slipway_files "$cur"; return; }
    [[ -z $verb && \${COMP_WORDS[i]} != -* ]] && verb=\${COMP_WORDS[i]}
  done
  if [[ -z $verb ]]; then
    COMPREPLY=($(compgen -W '${verbs.map(({ name }) => name).join(" ")} --help --version' -- "$cur"))
    return
  fi
  case $verb in
${verbs.map(verbCase).join("\n")}
  esac
}

_slipway_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$1"))
}

_slipway_programs() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -d -- "$1") $(compgen -f -- "$1" | grep -E '\\.(${PROGRAM_ENDINGS.join("|")})$'))
}

complete -F _slipway slipway
`;
}

function verbCase({ name, flags, words }: Verb): string {
  const cases = flags.flatMap(({ long, short, value }) => {
    if (value === undefined) return [];
    return `        ${short === undefined ? long : `${long}|${short}`}) ${answer(value)}; return ;;`;
  });
  const values = cases.length === 0 ? "" : `      case $prev in\n${cases.join("\n")}\n      esac\n`;
  const all = flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]));
  return `    ${name})
${values}      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${all.join(" ")}' -- "$cur"))
      else ${words === undefined ? ":" : answer(words)}; fi ;;`;
}

function answer(value: Value): string {
  if (value === "program") return '_slipway_programs "$cur"';
  if (value === "file") return '_slipway_files "$cur"';
  return value === "any" ? ":" : `COMPREPLY=($(compgen -W '${value.words.join(" ")}' -- "$cur"))`;
}
