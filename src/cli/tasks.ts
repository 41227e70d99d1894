/** Tasks of deno.json, which slipway does not run: what to type instead of one that starts a program. */
import { denoTask } from "../bundle/project.ts";

/** A sentence for `slipway run NAME` where NAME is a task; undefined when it is none. */
export function taskHint(name: string, folder: string): string | undefined {
  if (/[./\\]/.test(name)) return undefined;
  const command = denoTask(folder, name);
  if (command === undefined) return undefined;
  const told = `there is no file ${name}, but deno.json has a task of this name, which is ${command}`;
  const [, words] = /^\s*deno\s+(?:run|serve)\s+([^;&|<>]*)$/.exec(command) ?? [];
  const file = words?.split(/\s+/).find((word) => /^[^-].*\.[cm]?[jt]sx?$/.test(word));
  if (words === undefined || file === undefined) return `${told}: name the file that it runs`;
  const kept = words.split(/\s+/).filter((word) => /^--(watch|env-file(=.*)?|port(=.*)?|host(=.*)?)$/.test(word));
  return `${told}: ${["slipway run", file, ...kept].join(" ")}`;
}
