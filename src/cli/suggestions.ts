/**
 * "Did you mean …?" commander suggests for its own verbs and flags; this serves the rest: template names, the flags of
 * compiled servers, misnamed files.
 */
import { nearest } from "../options/nearest.ts";

export { nearest };

/** ` (did you mean X?)`, or nothing: made to be put behind a message. */
export function didYouMean(word: string, known: readonly string[]): string {
  const suggestion = nearest(word, known);
  return suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`;
}
