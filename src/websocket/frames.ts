/** The framing of RFC 6455, 5.2, as numbers; and the heads of frames that a server sends, which are never masked. */

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

export const FIN = 0x80;
/** Of the first frame of a message: it is compressed (RFC 7692, 6). */
export const RSV1 = 0x40;
/** Most that a control frame may carry. */
export const CONTROL_MAX = 125;
/** A head of the largest kind; that of a client has 4 bytes more. */
export const HEAD_MAX = 10;

/** How many bytes the head of a frame with so much payload takes. */
export function headSize(payload: number): number {
  return payload <= CONTROL_MAX ? 2 : payload <= 0xffff ? 4 : 10;
}

/** Writes the head of a frame; `first` is FIN, RSV1 and the opcode. Returns where the payload begins. */
export function writeFrameHead(out: Uint8Array, at: number, first: number, payload: number): number {
  out[at] = first;
  if (payload <= CONTROL_MAX) {
    out[at + 1] = payload;
    return at + 2;
  }
  if (payload <= 0xffff) {
    out[at + 1] = 126;
    out[at + 2] = payload >>> 8;
    out[at + 3] = payload & 0xff;
    return at + 4;
  }
  out[at + 1] = 127;
  const high = Math.floor(payload / 0x1_0000_0000);
  for (let i = 0; i < 4; i++) {
    out[at + 2 + i] = (high >>> (24 - 8 * i)) & 0xff;
    out[at + 6 + i] = (payload >>> (24 - 8 * i)) & 0xff;
  }
  return at + 10;
}

/** A whole frame in memory of its own. */
export function wholeFrame(first: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(headSize(payload.length) + payload.length);
  frame.set(payload, writeFrameHead(frame, 0, first, payload.length));
  return frame;
}
