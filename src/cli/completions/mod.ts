/** `slipway completions <shell>`: made of the verbs and flags that there are, so that they never say less or more. */
import type { Command } from "commander";
import { verbsOf } from "../command-spec.ts";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggestions.ts";
import { bash } from "./bash.ts";
import { fish } from "./fish.ts";
import { powershell } from "./powershell.ts";
import { zsh } from "./zsh.ts";

const shells = { bash, zsh, fish, powershell };

export function printCompletions(program: Command, shell: string): void {
  if (!Object.hasOwn(shells, shell)) {
    const names = Object.keys(shells);
    throw new UsageError(`there are no completions for '${shell}'${didYouMean(shell, names)}: ${names.join(", ")}`);
  }
  process.stdout.write(shells[shell as keyof typeof shells](verbsOf(program)));
}
