// docs/deno.md is true: what it says works is there, of its kind; what it says is refused says so in one sentence.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { globalsFile, globalsOf, globalVerdict, listedGlobals } from "../../scripts/deno/globals.ts";
import { type Member, membersOf, read, written } from "../../scripts/deno/members.ts";
import {
  editorTypes,
  installedList,
  key,
  listedMembers,
  unknownVerdicts,
  verdictOf,
  withMembers,
} from "../../scripts/deno-docs.ts";
import { installDeno } from "../../src/deno/mod.ts";
import { errors } from "../../src/runtime/errors.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { repository } from "../support/process.ts";
import { skip } from "../support/skip.ts";

installDeno();
const namespace = (globalThis as unknown as { Deno: Record<string, unknown> }).Deno;
const members = listedMembers();

/** `errors.NotFound` → the class. */
function memberOf(name: string): unknown {
  return name.split(".").reduce<unknown>((object, part) => (object as Record<string, unknown>)[part], namespace);
}

const list = suite("the list of members");
list("survives being written and read", () => {
  const types = `declare namespace Deno {
    /** **UNSTABLE** @category Odd */
    export function f(): void;
    /** @category Odd */
    export class C { static s(): void; readonly r: number; get g(): number; [Symbol.dispose](): void; constructor(); }
    /** @category Even */
    export const n: number;
    export interface I { a: string; b(): void }
    /** @category Even */
    export namespace inner { export function f(): void; export type T = 1; }
  }`;
  const found = membersOf(types);
  assert.equal(
    found.map(({ name, kind, category, unstable, fields }) => [name, kind, category, unstable, ...fields]),
    [
      ["f", "function", "Odd", true],
      ["C", "class", "Odd", false, "static s()", "r", "g", "[Symbol.dispose]()"],
      ["n", "number", "Even", false],
      ["I", "interface", "Runtime", false, "a", "b()"],
      ["inner", "namespace", "Even", false],
      ["inner.f", "function", "Even", false],
    ],
  );
  const byName = (all: Member[]) => all.sort((a, b) => (a.name < b.name ? -1 : 1));
  assert.equal(byName(read(written(found))), byName(found));
});
if (denoProgram === undefined) skip(list, "is that of the installed Deno", noDeno);
else {
  list("is that of the installed Deno", () => {
    const text = readFileSync(join(repository, "scripts/deno/members.txt"), "utf8");
    assert.is(text, installedList(), "run node scripts/deno-docs.ts --members");
  });
  list("of the global scope it is that, too", () => {
    assert.is(
      readFileSync(globalsFile, "utf8"),
      globalsOf(denoProgram ?? ""),
      "run node scripts/deno-docs.ts --members",
    );
  });
  list("editors are told the same", () => {
    const text = readFileSync(join(repository, "templates/shared/deno.d.ts"), "utf8");
    assert.is(text, editorTypes(), "run node scripts/deno-docs.ts --types");
  });
}
list("docs/deno.md has its tables", () => {
  const page = readFileSync(join(repository, "docs/deno.md"), "utf8");
  assert.is(withMembers(page), page, "run node scripts/deno-docs.ts");
  assert.equal(unknownVerdicts(), []);
});

const values = suite("every member");
for (const { name, kind, fields } of members) {
  const verdict = verdictOf(name);
  if (kind === "interface") continue;
  if (verdict.is === "refused") {
    values(`${name} is refused in one sentence`, () => {
      const uses = [
        () => (memberOf(name) as () => unknown)(),
        () => new (memberOf(name) as new () => unknown)(),
        () => (memberOf(name) as Record<string, unknown>).something,
      ];
      for (const use of name.includes(".") ? uses.slice(0, 1) : uses) {
        let said: unknown;
        try {
          use();
        } catch (error) {
          said = error;
        }
        assert.instance(said, errors.NotSupported);
        const [, outer] = /^([^.]*)/.exec(name) ?? [];
        assert.match((said as Error).message, new RegExp(`^Deno\\.${outer} is not supported by Slipway: \\w[^\\n]+$`));
      }
    });
    continue;
  }
  values(`${name} is there`, () => {
    const value = memberOf(name);
    const type = kind === "class" ? "function" : kind === "namespace" ? "object" : kind;
    assert.is(typeof value, type);
    for (const field of fields) {
      if (verdictOf(key(name, field)).is !== "works") continue;
      // What a class has besides methods is made with its objects, which samples.test.ts looks at.
      if (kind === "class" && !field.endsWith("()")) continue;
      const owner =
        kind !== "class" || field.startsWith("static ") ? value : (value as { prototype: unknown }).prototype;
      assertField(owner, name, field);
    }
  });
}

/** `read()` is a function, `readable` is there. */
function assertField(owner: unknown, name: string, field: string): void {
  const [, symbol, word] = /^(?:static )?(?:\[Symbol\.(\w+)\]|(.*?))(?:\(\))?$/.exec(field) ?? [];
  const property = symbol === undefined ? word : Symbol[symbol as "dispose"];
  assert.ok(property in (owner as object), `${name}.${field} is missing`);
  if (field.endsWith("()"))
    assert.type((owner as Record<PropertyKey, unknown>)[property], "function", `${name}.${field}`);
}

const globals = suite("every name of the global scope");
const scope = globalThis as unknown as Record<string, unknown>;
for (const verdict of ["works", "differs", "refused", "absent"] as const) {
  globals(verdict, () => {
    for (const { name, type } of listedGlobals()) {
      if (globalVerdict(name)[0] !== verdict) continue;
      if (verdict === "absent") assert.not(name in globalThis, name);
      else if (verdict === "refused") {
        assert.ok(name in globalThis, name);
        const uses = [() => new (scope[name] as new () => unknown)(), () => (scope[name] as { get: unknown }).get];
        for (const use of uses) {
          assert.throws(use, (error: Error) => {
            assert.instance(error, errors.NotSupported);
            return new RegExp(`^${name} is not supported by Slipway: \\w[^\\n]+$`).test(error.message);
          });
        }
      } else assert.is(typeof scope[name], type, name);
    }
  });
}

list.run();
globals.run();
values.run();
