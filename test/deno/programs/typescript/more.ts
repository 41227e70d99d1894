// @ts-nocheck: what only TypeScript has, which is not erasable; written for Deno.
// biome-ignore-all lint: oddities are what it is about.
import { Color, Shapes } from "./enums.ts";
export import Deep = Shapes.Deep;
export function Both() {
  return 1;
}
export namespace Both {
  export const extra = Color.Green;
}
export class K {
  static s = 1;
}
export namespace K {
  export const t = K.s + 1;
}
