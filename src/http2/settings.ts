/** SETTINGS (RFC 9113, 6.5): what we say, and what a client's mean for us. */
import { FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR } from "./errors.ts";
import { ACK, FRAME_HEAD, FRAME_MAX, readUint32, SETTINGS, WINDOW_MAX, writeFrameHead, writeUint32 } from "./frames.ts";
import { TABLE_SIZE } from "./hpack-decoder.ts";
import { MAX_STREAMS } from "./limits.ts";

const HEADER_TABLE_SIZE = 0x1;
const ENABLE_PUSH = 0x2;
const MAX_CONCURRENT_STREAMS = 0x3;
const INITIAL_WINDOW_SIZE = 0x4;
const MAX_FRAME_SIZE = 0x5;
const MAX_HEADER_LIST_SIZE = 0x6;
/** RFC 8441, 3. */
const ENABLE_CONNECT_PROTOCOL = 0x8;
/** RFC 9218, 2.1: there is nothing of RFC 7540's priorities here. */
const NO_RFC7540_PRIORITIES = 0x9;

const ENTRY = 6;

/** Writes ours, returns the index behind the frame. */
export function writeSettings(out: Uint8Array, at: number, maxHeaderBytes: number): number {
  const entries: readonly (readonly [number, number])[] = [
    [MAX_CONCURRENT_STREAMS, MAX_STREAMS],
    [MAX_HEADER_LIST_SIZE, maxHeaderBytes],
    [ENABLE_CONNECT_PROTOCOL, 1],
    [NO_RFC7540_PRIORITIES, 1],
  ];
  at = writeFrameHead(out, at, entries.length * ENTRY, SETTINGS, 0, 0);
  for (const [name, value] of entries) {
    out[at] = name >> 8;
    out[at + 1] = name;
    at = writeUint32(out, at + 2, value);
  }
  return at;
}

export function writeSettingsAck(out: Uint8Array, at: number): number {
  return writeFrameHead(out, at, 0, SETTINGS, ACK, 0);
}

/** Room for any of ours. */
export const SETTINGS_ROOM = FRAME_HEAD + 8 * ENTRY;

export class PeerSettings {
  /** How much a stream may send before it has to wait. */
  initialWindow = 65_535;
  /** What it keeps of our fields at most. */
  tableSize = TABLE_SIZE;
  #noRfc7540: number | undefined;

  /** Takes over a frame's payload, `bytes[start, end)`. Gives the code of the error that breaks the connection. */
  read(bytes: Uint8Array, start: number, end: number): number {
    if ((end - start) % ENTRY !== 0) return FRAME_SIZE_ERROR;
    for (let at = start; at < end; at += ENTRY) {
      const value = readUint32(bytes, at + 2);
      switch ((bytes[at] << 8) | bytes[at + 1]) {
        case HEADER_TABLE_SIZE:
          this.tableSize = value;
          break;
        case ENABLE_PUSH:
        case ENABLE_CONNECT_PROTOCOL:
          if (value > 1) return PROTOCOL_ERROR;
          break;
        case INITIAL_WINDOW_SIZE:
          if (value > WINDOW_MAX) return FLOW_CONTROL_ERROR;
          this.initialWindow = value;
          break;
        case MAX_FRAME_SIZE:
          if (value < FRAME_MAX || value > 0xff_ffff) return PROTOCOL_ERROR;
          break;
        case NO_RFC7540_PRIORITIES:
          // RFC 9218, 2.1: it never changes.
          if (value > 1 || (this.#noRfc7540 ?? value) !== value) return PROTOCOL_ERROR;
          this.#noRfc7540 = value;
      }
    }
    return NO_ERROR;
  }
}
