// time limit: 240 s
import { suite } from "uvu";
import { RUNS, randomFaults } from "./random-faults.ts";

const test = suite("random faults [epoll]");
test(`${RUNS} runs`, () => randomFaults("epoll"));
test.run();
