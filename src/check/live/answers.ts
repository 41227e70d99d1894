/** Reads HTTP/1.x answers (RFC 9112, 6.3), as far as they go: attackers see broken ones. */

export interface Answer {
  readonly status: number;
  readonly minor: number;
  /** Names in lower case, in the order of the wire. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Whether the body came to its end. */
  readonly whole: boolean;
  /** Whether the body is in chunks. */
  readonly chunked: boolean;
}

export interface Answers {
  /** Final answers; the last may not be whole. */
  readonly final: readonly Answer[];
  /** Interim ones, such as 100. */
  readonly interim: readonly number[];
  /** What follows them, or cannot be read as an answer. */
  readonly rest: Uint8Array;
}

/** `methods[i]` is the method that the answer i is for: one to HEAD has no body. GET where there is none. */
export function readAnswers(bytes: Uint8Array, methods: readonly string[] = [], ended = false): Answers {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const final: Answer[] = [];
  const interim: number[] = [];
  let at = 0;
  while (at < buffer.length) {
    const one = readOne(buffer, at, methods[final.length] ?? "GET", ended);
    if (one === undefined) break;
    at = one.end;
    if (one.answer.status < 200) interim.push(one.answer.status);
    else final.push(one.answer);
    if (!one.answer.whole) break;
  }
  return { final, interim, rest: buffer.subarray(at) };
}

/** All values of a field, joined as a list; undefined when there is none. */
export function field(answer: Pick<Answer, "fields">, name: string): string | undefined {
  const values = answer.fields.filter(([key]) => key === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

interface One {
  readonly answer: Answer;
  readonly end: number;
}

function readOne(buffer: Buffer, start: number, method: string, ended: boolean): One | undefined {
  const headEnd = buffer.indexOf("\r\n\r\n", start, "latin1");
  if (headEnd < 0) return undefined;
  const [line, ...lines] = buffer.toString("latin1", start, headEnd).split("\r\n");
  const match = /^HTTP\/1\.([01]) (\d{3})/.exec(line);
  if (match === null) return undefined;
  const fields = lines.map((text): [string, string] => {
    const colon = text.indexOf(":");
    return [text.slice(0, Math.max(0, colon)).trim().toLowerCase(), text.slice(colon + 1).trim()];
  });
  const status = Number(match[2]);
  const value = (name: string): string | undefined => fields.find(([key]) => key === name)?.[1];
  const chunked = /\bchunked$/i.test(value("transfer-encoding") ?? "");
  const make = (body: Uint8Array, end: number, whole: boolean): One => ({
    answer: { status, minor: Number(match[1]), fields, body, whole, chunked },
    end,
  });
  const at = headEnd + 4;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return make(new Uint8Array(0), at, true);
  if (chunked) return readChunks(buffer, at, make);
  const length = value("content-length");
  if (length === undefined) return make(buffer.subarray(at), buffer.length, ended);
  const end = at + Number(length);
  return make(buffer.subarray(at, end), Math.min(end, buffer.length), end <= buffer.length);
}

function readChunks(buffer: Buffer, at: number, make: (body: Uint8Array, end: number, whole: boolean) => One): One {
  const chunks: Buffer[] = [];
  for (;;) {
    const lineEnd = buffer.indexOf("\r\n", at, "latin1");
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(buffer.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size)) return make(Buffer.concat(chunks), buffer.length, false);
    at = lineEnd + 2;
    if (size === 0) {
      // Trailers, down to the empty line.
      const end =
        buffer.toString("latin1", at, at + 2) === "\r\n" ? at + 2 : buffer.indexOf("\r\n\r\n", at, "latin1") + 4;
      const whole = end >= at + 2 && end <= buffer.length;
      return make(Buffer.concat(chunks), whole ? end : buffer.length, whole);
    }
    if (at + size + 2 > buffer.length) return make(Buffer.concat(chunks), buffer.length, false);
    chunks.push(buffer.subarray(at, at + size));
    at += size + 2;
  }
}
