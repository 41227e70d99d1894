/** The author's own frames of a stack: what to change is there, and neither in Node nor in us. */

/** The first of ours below an author's: what calls handlers and tasks. */
const CALLERS = /^(?:enterRequest|runInRequest|callHandler|(?:\w*Task\.)?run) \(/;

/** Ours above an author's: `info.go`. */
const CALLED = /^HandlerInfo\.go \(/;

/** The first `most` of the author's frames, without "at", `handler (/srv/app.ts:3:7)`. */
export function authorFrames(stack: string, most: number): string[] {
  const frames: string[] = [];
  for (const line of stack.split("\n")) {
    const frame = /^\s+at (.*)/.exec(line)?.[1];
    if (frame === undefined || CALLED.test(frame) || /\bnode:|<anonymous>\)?(?::\d+:\d+)?$|\(native/.test(frame))
      continue;
    if (CALLERS.test(frame) || frames.length === most) break;
    frames.push(frame);
  }
  return frames;
}
