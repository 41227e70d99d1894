/** Runs programs on a poller, and makes of one that fails the smallest that does. */
import type { Poller } from "../../../ffi/poller.ts";
import { Random } from "../../http/support/random.ts";
import { randomProgram } from "./generate.ts";
import { Ground } from "./ground.ts";
import { type Program, sayAll } from "./program.ts";
import { shrink } from "./shrink.ts";
import type { Subject } from "./subjects.ts";
import { World } from "./world.ts";

/** What is due comes within it, whatever else the machine does. */
const PATIENCE_MS = 5000;
/** And once a program is known to fail. */
const SHRINKING_MS = 500;

export interface Found {
  /** Of this program alone. */
  readonly seed: number;
  /** It was the nth. */
  readonly number: number;
  readonly violation: string;
  readonly program: Program;
  /** Of what the smallest says. */
  readonly smallest: Program;
  readonly smallestViolation: string;
}

/** Program `n` of a run is the one of seed + n, so that any can be run alone. Returns the first that fails. */
export function check(subject: Subject, seed: number, programs: number): Found | undefined {
  return running(subject, (run) => {
    for (let number = 0; number < programs; number++) {
      const program = randomProgram(new Random(seed + number), subject);
      const violation = run(program, PATIENCE_MS);
      if (violation === undefined) continue;
      const smallest = shrink(program, (smaller) => run(smaller, SHRINKING_MS));
      return {
        seed: seed + number,
        number: number + 1,
        violation,
        program,
        smallest: smallest?.program ?? program,
        smallestViolation: smallest?.violation ?? `${violation} (once: it passed when it was run again)`,
      };
    }
    return undefined;
  });
}

/** How a given program fails; undefined when it does not. */
export function checkOne(subject: Subject, program: Program): string | undefined {
  const usesUnix = program.ops.some((op) => op.do === "join" && op.family === "unix");
  if (usesUnix && !subject.unix) return undefined;
  return running(subject, (run) => run(program, PATIENCE_MS));
}

function running<T>(
  subject: Subject,
  use: (run: (program: Program, patienceMs: number) => string | undefined) => T,
): T {
  const ground = new Ground(subject.system);
  const observer: Poller | undefined = subject.attend ? subject.open(subject.system, () => undefined) : undefined;
  try {
    return use((program, patienceMs) => new World(subject, ground, program, patienceMs, observer).run());
  } finally {
    observer?.dispose();
    ground.dispose();
  }
}

/** For a person: what to run, and what it does. */
export function report(subject: Subject, found: Found): string {
  return `${subject.name}: program ${found.number} breaks the contract: ${found.violation}
again: node test/ffi/contract/run.ts --poller ${subject.name} --programs 1 --seed ${found.seed}
the smallest that fails, ${found.smallest.ops.length} of ${found.program.ops.length} operations: ${found.smallestViolation}
${sayAll(found.smallest)}`;
}
