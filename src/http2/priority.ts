/** Priorities of RFC 9218: how urgent a response is, and whether it is of use piece by piece. */

/** 0 to 7, 0 first (4.1). */
export const URGENCIES = 8;
const DEFAULT_URGENCY = 3;

export interface Priority {
  readonly urgency: number;
  /**
   * Shares the connection with others of its urgency, frame by frame; else they are sent one after the other (4.2).
   * Clients that say nothing of priorities get turns: nobody said that they want to wait.
   */
  readonly incremental: boolean;
}

export const DEFAULT_PRIORITY: Priority = { urgency: DEFAULT_URGENCY, incremental: true };

/** Longer ones are no priority. */
const LONGEST = 256;
const MEMBER = /^(?:u=([0-7])|i(?:=\?([01]))?)(?:;.*)?$/;

/** The value of a Priority field or frame, a dictionary (RFC 8941, 3.2). What we don't know is skipped (RFC 9218, 4). */
export function parsePriority(text: string): Priority {
  let urgency = DEFAULT_URGENCY;
  let incremental = false;
  if (text.length > LONGEST) return DEFAULT_PRIORITY;
  for (const member of text.split(",")) {
    const match = MEMBER.exec(member.trim());
    if (match === null) continue;
    if (match[1] !== undefined) urgency = Number(match[1]);
    else incremental = match[2] !== "0";
  }
  return { urgency, incremental };
}
