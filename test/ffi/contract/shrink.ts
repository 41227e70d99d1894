/**
 * The smallest program that still fails: operations are left out, halves first, then one by one, as long as it fails
 * without them (Zeller's ddmin); then numbers become small. How it fails may change meanwhile.
 */
import type { Op, Program } from "./program.ts";

const MOST_RUNS = 400;
const MOST_MS = 60_000;

/** `fails` runs one: how it fails, or undefined. Returns undefined when the program itself did not fail again. */
export function shrink(
  program: Program,
  fails: (program: Program) => string | undefined,
): { readonly program: Program; readonly violation: string } | undefined {
  const end = performance.now() + MOST_MS;
  let runs = 0;
  let best: { readonly program: Program; readonly violation: string } | undefined;
  const tries = (ops: readonly Op[]): boolean => {
    if (runs++ > MOST_RUNS || performance.now() > end) return false;
    const smaller = { parked: program.parked, ops };
    const violation = fails(smaller);
    if (violation === undefined) return false;
    best = { program: smaller, violation };
    return true;
  };
  // Not every failure comes every time.
  for (let i = 0; i < 3 && best === undefined; i++) tries(program.ops);
  if (best === undefined) return undefined;
  let ops = program.ops;
  for (let size = ops.length >> 1; size >= 1; ) {
    let less = false;
    for (let at = 0; at < ops.length; ) {
      const without = [...ops.slice(0, at), ...ops.slice(at + size)];
      if (tries(without)) {
        ops = without;
        less = true;
      } else at += size;
    }
    if (!less || size > ops.length) size = size > ops.length ? ops.length >> 1 : size >> 1;
  }
  for (let at = 0; at < ops.length; at++) {
    for (const simpler of simplerThan(ops[at])) {
      const changed = ops.with(at, simpler);
      if (!tries(changed)) continue;
      ops = changed;
      break;
    }
  }
  return best;
}

function simplerThan(op: Op): Op[] {
  if (op.do === "on") return simplerThan(op.run).map((run) => ({ ...op, run }));
  if (op.do === "fault")
    return [
      { ...op, after: 0, times: 1 },
      { ...op, times: 1 },
    ];
  if ("bytes" in op && op.bytes > 1) return [1, 10, 100, 1000, op.bytes >> 1].filter((n) => n < op.bytes).map((bytes) => ({ ...op, bytes })); // biome-ignore format: one line
  if (op.do === "join" && op.small) return [{ ...op, small: false }];
  if (op.do === "closeAtOnce") return [{ ...op, do: "close" }];
  return [];
}
