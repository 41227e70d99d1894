// time limit: 240 s
import { suite } from "uvu";
import { skip } from "../../support/skip.ts";
import { RUNS, randomFaults } from "../random-faults.ts";
import { faultsRefused } from "./support.ts";

const test = suite("random faults [uring]");
const name = `${RUNS} runs`;
if (faultsRefused === "") test(name, () => randomFaults("uring"));
else skip(test, name, faultsRefused);
test.run();
