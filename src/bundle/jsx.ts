/** How a file's JSX is read when the file itself says it, as in Deno: esbuild wants to hear of the kind as well. */

/** What to add to the source, a pragma of esbuild's; nothing when the file leaves it to the compiler options. */
export function jsxMark(source: string, known: boolean): string {
  if (/@jsxRuntime\s/.test(source)) return "";
  if (/@jsxImportSource\s/.test(source)) return "\n/** @jsxRuntime automatic */";
  // Without options Deno calls React.createElement; a file without a React means the other way.
  if (/@jsx\s/.test(source) || (!known && /\bReact\b/.test(source))) return "\n/** @jsxRuntime classic */";
  return "";
}
