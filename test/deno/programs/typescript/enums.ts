// @ts-nocheck: what only TypeScript has, which is not erasable; written for Deno.
// biome-ignore-all lint: oddities are what it is about.
export enum Color {
  Red = 1,
  Green,
  Blue = Red << 4,
  Name = "x".length,
}
export enum Level {
  Low = "low",
  High = "high",
  Num = 3,
}
export namespace Shapes {
  export const sides = 4;
  export function area(n: number) {
    return n * n;
  }
  export namespace Deep {
    export const v = Color.Blue;
  }
  export enum Kind {
    A,
    B,
  }
}
export declare enum Absent {
  X,
}
export abstract class Base {
  abstract name: string;
  protected constructor(
    readonly id: number,
    public tag = "t" + id,
  ) {}
}
