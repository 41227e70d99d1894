/** Colours, where they are wanted. */
export interface Paint {
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  gray(text: string): string;
  cyan(text: string): string;
  bold(text: string): string;
  /** White on red. */
  heading(text: string): string;
}

export function painting(colors: boolean): Paint {
  const with_ = (code: string) => (text: string) => (colors && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text);
  return {
    red: with_("31"),
    green: with_("32"),
    yellow: with_("33"),
    gray: with_("90"),
    cyan: with_("36"),
    bold: with_("1"),
    heading: with_("1;37;41"),
  };
}

/** Whether what is written there is seen by a person who has not said no. */
export function wantsColors(stream: { readonly isTTY?: boolean }): boolean {
  if (process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR !== undefined && process.env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true;
}
