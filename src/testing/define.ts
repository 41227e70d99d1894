/**
 * What `Deno.test` takes in each of its forms, and what it refuses with Deno's sentences.
 */
import { authorPlace } from "./failure.ts";
import type { Place } from "./protocol.ts";

/** What a test or a step calls. */
export type TestFunction = (t: never, ...rest: never[]) => unknown;

export interface TestOptions {
  readonly name?: string;
  readonly fn?: TestFunction;
  readonly ignore?: boolean;
  readonly only?: boolean;
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
  readonly sanitizeExit?: boolean;
  readonly permissions?: unknown;
  readonly timeout?: number;
  readonly retry?: number;
  readonly repeats?: number;
}

/** A registered test. */
export interface TestDefinition extends TestOptions {
  readonly id: number;
  readonly name: string;
  readonly fn: TestFunction;
  readonly at: Place | undefined;
}

/** What tests are looked at for that do not say. */
export interface SanitizerDefaults {
  readonly ops?: boolean;
  readonly resources?: boolean;
}

type First = string | TestFunction | TestOptions;

/** Reads the arguments of `Deno.test`, by whatever form; `what` is how messages name it. */
export function readTest(
  first: First,
  second: TestFunction | TestOptions | undefined,
  third: TestFunction | undefined,
  what = "Deno.test()",
): TestOptions & { readonly name: string; readonly fn: TestFunction } {
  if (typeof first === "string") {
    if (first === "") throw new TypeError("The test name can't be empty");
    if (typeof second === "function") return { name: first, fn: second };
    if (typeof third !== "function") throw new TypeError("Missing test function");
    refuseFields(second, "third", true);
    return { ...second, name: first, fn: third };
  }
  if (typeof first === "function") {
    if (first.name === "") throw new TypeError("The test function must have a name");
    if (second !== undefined) throw new TypeError(`Unexpected second argument to ${what}`);
    if (third !== undefined) throw new TypeError(`Unexpected third argument to ${what}`);
    return { name: first.name, fn: first };
  }
  if (typeof first !== "object" || first === null) throw new TypeError(`${what} needs a name, options or a function`);
  let fn = first.fn;
  if (typeof second === "function") {
    refuseFields(first, "second", false);
    fn = second;
  } else if (typeof fn !== "function") {
    throw new TypeError("Expected 'fn' field in the first argument to be a test function");
  }
  const name = first.name ?? fn.name;
  if (!name) throw new TypeError("The test name can't be empty");
  return { ...first, name, fn };
}

function refuseFields(options: TestOptions | undefined, where: string, named: boolean): void {
  if (options?.fn !== undefined) {
    throw new TypeError(`Unexpected 'fn' field in options, test function is already provided as the ${where} argument`);
  }
  if (named && options?.name !== undefined) {
    throw new TypeError("Unexpected 'name' field in options, test name is already provided as the first argument");
  }
}

/** The arguments of `t.step`. */
export function readStep(
  first: First,
  second: TestFunction | undefined,
): TestOptions & { name: string; fn: TestFunction } {
  if (typeof first === "string") {
    if (typeof second !== "function") throw new TypeError("Expected function for second argument");
    return { name: first, fn: second };
  }
  if (typeof first === "function") {
    if (first.name === "") throw new TypeError("The step function must have a name");
    if (second !== undefined) throw new TypeError("Unexpected second argument to TestContext.step()");
    return { name: first.name, fn: first };
  }
  if (typeof first !== "object" || first === null) {
    throw new TypeError("Expected a test definition or name and function");
  }
  if (typeof first.fn !== "function") throw new TypeError("Expected a test definition with a function");
  const name = first.name ?? first.fn.name;
  if (!name) throw new TypeError("The step name can't be empty");
  return { ...first, name, fn: first.fn };
}

/** `Deno.test` as programs see it, which registers with `add`. */
export function makeDenoTest(
  add: (test: TestDefinition) => void,
  hooks: Readonly<Record<"beforeAll" | "beforeEach" | "afterEach" | "afterAll", (fn: () => unknown) => void>>,
  sanitizers: SanitizerDefaults = {},
): object {
  let ids = 0;
  let defaults: TestOptions = { sanitizeOps: sanitizers.ops, sanitizeResources: sanitizers.resources };
  const registering = (fixed: TestOptions) => {
    const register = (first: First, second?: TestFunction | TestOptions, third?: TestFunction): void => {
      const given = defined(readTest(first, second, third));
      add({ ...defaults, ...given, ...fixed, id: ids++, at: authorPlace(register) });
    };
    const each = (cases: readonly unknown[]) => {
      if (!Array.isArray(cases)) throw new TypeError("Deno.test.each() needs an array of cases");
      return function registerEach(name: string, second: TestFunction | TestOptions, third?: TestFunction): void {
        for (const [index, row] of cases.entries()) {
          const given = defined(readTest(name, second, third));
          const fn = (t: never) =>
            Array.isArray(row) ? given.fn(...([...row, t] as unknown as [never])) : given.fn(row as never, t);
          const shown = caseName(given.name, row, index);
          add({ ...defaults, ...given, ...fixed, name: shown, fn, id: ids++, at: authorPlace(registerEach) });
        }
      };
    };
    return Object.assign(register, { each });
  };
  const ignore = registering({ ignore: true });
  return Object.assign(registering({}), {
    ...hooks,
    ignore,
    skip: ignore,
    only: registering({ only: true }),
    sanitizer({ ops, resources }: SanitizerDefaults): void {
      defaults = {
        ...defaults,
        ...(ops !== undefined && { sanitizeOps: ops }),
        ...(resources !== undefined && { sanitizeResources: resources }),
      };
    },
  });
}

/** Fields that hold undefined say nothing: libraries pass on what they were not given. */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** Whether a test is to run with less than all permissions, which Slipway has no way to take away. */
export function isRestricted({ permissions }: TestOptions): boolean {
  return permissions !== undefined && permissions !== null && permissions !== "inherit";
}

/** Whether one of them is taken away by name: what the test is about, then, most likely. */
export function isDenied({ permissions }: TestOptions): boolean {
  if (typeof permissions !== "object" || permissions === null) return permissions === "none";
  return Object.values(permissions).includes(false);
}

/** `adds %d and %d`, `%j`, `$name`, `$0`, `%#`: a case's values in the name. */
function caseName(name: string, row: unknown, index: number): string {
  const values: unknown[] = Array.isArray(row) ? row : [row];
  let next = 0;
  return name.replace(/%[sdifjoO#%]|\$(\w+)/g, (word, field: string | undefined) => {
    if (field !== undefined) {
      const holder = row as Record<string, unknown> | null;
      return typeof holder === "object" && holder !== null && field in holder ? show(holder[field]) : word;
    }
    if (word === "%%") return "%";
    if (word === "%#") return String(index);
    if (next >= values.length) return "undefined";
    const value = values[next++];
    if (word === "%j" || word === "%o" || word === "%O") return JSON.stringify(value);
    if (word === "%d" || word === "%f") return String(Number(value));
    return word === "%i" ? String(Math.trunc(Number(value))) : show(value);
  });
}

function show(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
