// @ts-nocheck: written for Deno, whose types are not installed here.
/** A worker's name that no bundler can read. */
export const parts = ["comp", "uted", ".ts"];
