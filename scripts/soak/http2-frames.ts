/** Frames of HTTP/2 as attackers write them: by hand, so that they can be wrong (RFC 9113, 4.1; RFC 7541, 5 and 6). */

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const [END_STREAM, END_HEADERS] = [1, 4];
/** RFC 9113, 6.5.2. */
export const INITIAL_WINDOW_SIZE = 4;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream >>> 0, 5);
  bytes.set(payload, 9);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function setting(name: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([name >> 8, name & 0xff]), uint32(value)]);
}

/** A literal with a new name: one that the table keeps (`kept`), or one that it does not. */
export function literal(name: string, value: string, kept = false): Buffer {
  return Buffer.concat([Buffer.from([kept ? 0x40 : 0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length), Buffer.from(value, "latin1")]);
}

/** With a prefix of seven bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push(128 | (rest & 127));
  return Buffer.from([...bytes, rest]);
}

/** The block of a request without a body, or of a POST. */
export function requestBlock(path: string, method: "GET" | "POST" = "GET"): Buffer {
  // :method and :scheme are in the static table (RFC 7541, A).
  return Buffer.concat([
    Buffer.from([method === "GET" ? 0x82 : 0x83, 0x86]),
    literal(":path", path),
    literal(":authority", "soak"),
  ]);
}
