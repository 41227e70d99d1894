/** Whole bodies that are too large to be compressed at once, as streams of pieces. */

/** Characters of a text, and bytes, of one piece. */
const PIECE = 64 * 1024;

export function piecesOf(body: string | Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= body.length) return controller.close();
        let to = Math.min(body.length, at + PIECE);
        if (typeof body !== "string") controller.enqueue(body.subarray(at, to));
        else {
          // A pair of surrogates is one character.
          const last = body.charCodeAt(to - 1);
          if (to < body.length && last >= 0xd800 && last < 0xdc00) to--;
          controller.enqueue(Buffer.from(body.slice(at, to)));
        }
        at = to;
      },
    },
    { highWaterMark: 0 },
  );
}
