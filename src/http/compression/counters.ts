/** What compression counts as it goes: plain numbers, read by whoever asks (`src/admin`). */
import { CODINGS, type Coding } from "./accept-encoding.ts";

export class CompressionCounters {
  /** Responses, in the order of CODINGS. */
  readonly responses = new Float64Array(CODINGS.length);
  /** Bytes of their bodies, as the handler gave them and as they left. */
  before = 0;
  after = 0;
  /** What the encoders of streams may take now. */
  memory = 0;
  /** Responses that were left as they were, since there was no memory for one more encoder. */
  refused = 0;

  began(coding: Coding): void {
    this.responses[CODINGS.indexOf(coding)]++;
  }
}

/** Those of this thread. */
export const compressionCounters = new CompressionCounters();
