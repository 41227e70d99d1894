/** Completions for PowerShell 5 and later, on every system: a table and one script block. */
import { PROGRAM_ENDINGS, type Value, type Verb } from "../command-spec.ts";

export function powershell(verbs: readonly Verb[]): string {
  return `# PowerShell completion for slipway: slipway completions powershell
Register-ArgumentCompleter -Native -CommandName slipway -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $verbs = [ordered]@{
${verbs.map(({ name, says }) => `    ${quoted(name)} = ${quoted(says)}`).join("\n")}
  }
  $flags = @{
${verbs.map(ofVerb).join("\n")}
  }
  $values = @{
${verbs.flatMap(valuesOf).join("\n")}
  }
  $elements = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
  $before = @($elements | Select-Object -Skip 1)
  if ($wordToComplete -ne '' -and $before.Count -gt 0) { $before = @($before | Select-Object -SkipLast 1) }
  $verb = $before | Where-Object { -not $_.StartsWith('-') } | Select-Object -First 1
  $found = if ($null -eq $verb) { $verbs }
  elseif ($before.Count -gt 0 -and $values.ContainsKey("$verb $($before[-1])")) { $values["$verb $($before[-1])"] }
  elseif ($wordToComplete.StartsWith('-')) { $flags[$verb] }
  elseif ($values.ContainsKey($verb)) { $values[$verb] }
  if ($null -eq $found) { return }
  if ($found -is [string]) {
    # Files, of programs or any.
    Get-ChildItem -Path "$wordToComplete*" -ErrorAction SilentlyContinue |
      Where-Object { $found -eq 'file' -or $_.PSIsContainer -or $_.Name -match '\\.(${PROGRAM_ENDINGS.join("|")})$' } |
      ForEach-Object { Resolve-Path -Relative $_.FullName } |
      ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ProviderItem', $_) }
    return
  }
  $found.GetEnumerator() | Where-Object { $_.Key -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_.Key, $_.Key, 'ParameterValue', $_.Value)
  }
}
`;
}

function ofVerb({ name, flags }: Verb): string {
  const pairs = flags.map(({ long, says }) => `      ${quoted(long)} = ${quoted(says)}`);
  return `    ${quoted(name)} = [ordered]@{\n${pairs.join("\n")}\n    }`;
}

/** By the verb for its words, by verb and flag for a flag's. */
function valuesOf({ name, flags, words }: Verb): string[] {
  const of = (key: string, value: Value | undefined) =>
    value === undefined || value === "any" ? [] : [`    ${quoted(key)} = ${literal(value)}`];
  return [...of(name, words), ...flags.flatMap(({ long, value }) => of(`${name} ${long}`, value))];
}

function literal(value: Exclude<Value, "any">): string {
  if (typeof value === "string") return quoted(value);
  return `[ordered]@{ ${value.words.map((word) => `${quoted(word)} = ${quoted(word)}`).join("; ")} }`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
