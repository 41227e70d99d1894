// "Did you mean": near words are found, far ones are not.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { didYouMean, nearest } from "../../src/cli/suggestions.ts";

const verbs = ["new", "run", "compile", "version", "help"];
const cases: [string, string | undefined][] = [
  ["rn", "run"],
  ["rnu", "run"],
  ["RUN", "run"],
  ["comiple", "compile"],
  ["compil", "compile"],
  ["verison", "version"],
  ["hepl", "help"],
  ["nwe", "new"],
  ["frobnicate", undefined],
  ["x", undefined],
  ["", undefined],
];
for (const [word, expected] of cases) test(`${JSON.stringify(word)}`, () => assert.is(nearest(word, verbs), expected));

test("as a part of a sentence", () => {
  assert.is(didYouMean("htp", ["http", "tcp"]), " (did you mean http?)");
  assert.is(didYouMean("zzzzz", ["http", "tcp"]), "");
});

test.run();
