// @ts-nocheck: what only TypeScript has, which is not erasable; written for Deno.
// biome-ignore-all lint: oddities are what it is about.

import type { Absent } from "./enums.ts";
import * as all from "./enums.ts";
import { Base, Color, Level, Shapes } from "./enums.ts";
import { Both, Deep, K } from "./more.ts";

class Sub extends Base {
  name = "n";
  declare ignored: string;
  readonly later = this.id;
  constructor(
    x: number,
    private y = x * 2,
    protected z?: string,
  ) {
    super(x);
  }
  show() {
    return [Object.keys(this), this.y, this.z, this.later];
  }
}
console.log(Color.Red, Color[2], Color.Blue, Color.Name, Level.Low, Level.Num, Object.keys(all).join());
console.log(Shapes.sides, Shapes.area(3), Shapes.Deep.v, Shapes.Kind[1], Deep.v, Both(), Both.extra, K.t);
console.log(JSON.stringify(new Sub(7).show()), new Sub(1) instanceof Base);
class P {
  a = this.b;
  constructor(public b: number) {}
  static {
    (P as any).made = true;
  }
  accessor c = 5;
  #d = this.b;
  get d() {
    return this.#d;
  }
}
const p = new P(4) as any;
console.log(p.a, p.b, p.c, p.d, Object.keys(p).join(), (P as any).made);
enum Merged {
  A = 1,
}
enum Merged {
  B = 2,
}
console.log(Merged.A, Merged.B, Merged[2]);
class Q {
  x?: number;
  y!: string;
  [key: string]: unknown;
}
console.log(Object.keys(new Q()).join());
const v = <number>5;
console.log((v satisfies number)!, v as unknown);
function over(a: string): string;
function over(a: number): number;
function over(a: any) {
  return a;
}
console.log(over(3));
function dec(value: unknown, ctx: { kind: string; name: string }) {
  console.log(ctx.kind, ctx.name);
}
@dec
class D {
  @dec m() {}
  @dec f = 1;
  @dec accessor z = 3;
  @dec get g() {
    return 1;
  }
}
new D();
using r = {
  [Symbol.dispose]() {
    console.log("disposed");
  },
};

const outer = "outer";
class B0 {
  constructor(public n: number) {}
}
class R extends B0 {
  "quoted-key" = this.outer2;
  fn = () => this.outer2;
  private readonly typed: string = `${outer} ${this.outer2}`;
  multi = [this.outer2, outer];
  static st = 1;
  constructor(
    private outer2: string,
    outer = 5,
  ) {
    super(1);
    console.log(this.multi.join(), outer);
  }
}
const rr = new R("in");
console.log(JSON.stringify(rr), rr.fn(), Object.keys(rr).join());
class Gen<T> {
  list: T[] = [this.x];
  constructor(private readonly x: T) {}
}
console.log(new Gen(3).list);
class Nest {
  inner = new (class {
    a = this.b + 1;
    constructor(public b: number) {}
  })(this.o);
  opt? = this.o;
  constructor(public o: number) {}
}
console.log(JSON.stringify(new Nest(3)));
