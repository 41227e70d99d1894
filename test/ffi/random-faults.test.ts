// time limit: 240 s
import { suite } from "uvu";
import { READINESS } from "./faulty-system.ts";
import { RUNS, randomFaults } from "./random-faults.ts";

const test = suite(`random faults [${READINESS}]`);
test(`${RUNS} runs`, () => randomFaults(READINESS));
test.run();
