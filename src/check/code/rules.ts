/** Every rule, in the order in which help, docs and output show them. */
import type { Rule } from "./finding.ts";
import { adminOnAllInterfaces } from "./rules/admin-on-all-interfaces.ts";
import { backgroundWork } from "./rules/background-work.ts";
import { bodyWithoutBound } from "./rules/body-without-bound.ts";
import { codeFromInput } from "./rules/code-from-input.ts";
import { errorDetailsSent } from "./rules/error-details-sent.ts";
import { fetchWithoutTimeout } from "./rules/fetch-without-timeout.ts";
import { floatingPromise } from "./rules/floating-promise.ts";
import { forwardedHeader } from "./rules/forwarded-header.ts";
import { guessableToken } from "./rules/guessable-token.ts";
import { responseWithoutBound } from "./rules/response-without-bound.ts";
import { secretInSource } from "./rules/secret-in-source.ts";
import { slowRegexp } from "./rules/slow-regexp.ts";
import { swallowedSignal } from "./rules/swallowed-signal.ts";
import { syncCallInHandler } from "./rules/sync-call-in-handler.ts";
import { unboundedCollection } from "./rules/unbounded-collection.ts";
import { uncaughtSwallowed } from "./rules/uncaught-swallowed.ts";
import { unlimitedOption } from "./rules/unlimited-option.ts";

/** A comment that silences nothing; silence.ts finds these, after all rules have spoken. */
export const unusedSilence: Rule = {
  id: "unused-silence",
  severity: "info",
  harm: "this comment silences nothing: the fault is gone, or the comment is not where it would be seen.",
  cure: "delete it, or put it on the line of the finding or the line before",
};

/** What no rule can look at, in reports for machines: people are told as `slipway run` tells it. */
export const syntaxError: Rule = {
  id: "syntax-error",
  severity: "error",
  harm: "this is no program: it does not start, and nothing else in it was checked.",
  cure: "mend the syntax at this place, and check again",
};

export const rules: readonly Rule[] = [
  secretInSource,
  adminOnAllInterfaces,
  codeFromInput,
  fetchWithoutTimeout,
  bodyWithoutBound,
  responseWithoutBound,
  floatingPromise,
  backgroundWork,
  swallowedSignal,
  unlimitedOption,
  syncCallInHandler,
  unboundedCollection,
  forwardedHeader,
  errorDetailsSent,
  slowRegexp,
  uncaughtSwallowed,
  guessableToken,
  unusedSilence,
];
