/** Reads HTTP/1.1 responses by the letter of RFC 9112, section 6.3: whatever is not quite right is an error. */

export interface RawResponse {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Names in lower case, in the order of the wire. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** How the body's end was marked. */
  readonly framing: "none" | "length" | "chunked" | "close";
  header(name: string): string | null;
  text(): string;
}

/**
 * Parses as many whole responses as there are; `rest` is what follows them. A body that ends with the connection is
 * whole when `ended`. Interim responses (1xx) are returned like others, without using up a method.
 */
export function parseResponses(
  bytes: Buffer,
  methods: readonly string[],
  ended: boolean,
): { responses: RawResponse[]; rest: Buffer } {
  const responses: RawResponse[] = [];
  let at = 0;
  let final = 0;
  while (at < bytes.length) {
    const parsed = parseOne(bytes, at, methods[final] ?? "GET", ended);
    if (parsed === undefined) break;
    responses.push(parsed.response);
    if (parsed.response.status >= 200) final++;
    at = parsed.end;
  }
  return { responses, rest: bytes.subarray(at) };
}

function parseOne(
  bytes: Buffer,
  start: number,
  method: string,
  ended: boolean,
): { response: RawResponse; end: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n", start, "latin1");
  if (headEnd < 0) return undefined;
  const [line, ...lines] = bytes.toString("latin1", start, headEnd).split("\r\n");
  const match = /^(HTTP\/1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
  if (match === null) throw new Error(`malformed status line: ${JSON.stringify(line)}`);
  const fields = lines.map((text): [string, string] => {
    const field =
      /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:.*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/.exec(text);
    if (field === null || /[\x00-\x08\x0a-\x1f\x7f]/.test(text)) {
      throw new Error(`malformed field line: ${JSON.stringify(text)}`);
    }
    return [field[1].toLowerCase(), field[2]];
  });
  const all = (name: string): string[] => fields.filter(([key]) => key === name).map(([, value]) => value);
  const status = Number(match[2]);
  const lengths = all("content-length");
  const codings = all("transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Error("a response that is framed twice");
  for (const single of ["date", "content-type", "connection"]) {
    if (all(single).length > 1) throw new Error(`${single} is repeated`);
  }
  const bodyStart = headEnd + 4;
  let framing: RawResponse["framing"] = "close";
  let body: Buffer;
  let end: number;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
    if (codings.length > 0 && (status < 200 || status === 204)) throw new Error(`Transfer-Encoding with ${status}`);
    framing = "none";
    body = Buffer.alloc(0);
    end = bodyStart;
  } else if (codings.length > 0) {
    if (codings[0] !== "chunked") throw new Error(`unknown transfer coding ${codings[0]}`);
    framing = "chunked";
    const read = dechunk(bytes, bodyStart);
    if (read === undefined) return undefined;
    ({ body, end } = read);
  } else if (lengths.length > 0) {
    if (!/^\d+$/.test(lengths[0])) throw new Error(`malformed content-length ${lengths[0]}`);
    framing = "length";
    end = bodyStart + Number(lengths[0]);
    if (end > bytes.length) return undefined;
    body = bytes.subarray(bodyStart, end);
  } else {
    if (!ended) return undefined;
    body = bytes.subarray(bodyStart);
    end = bytes.length;
  }
  return {
    response: {
      version: match[1],
      status,
      reason: match[3],
      fields,
      body,
      framing,
      header: (name) => all(name).join(", ") || (all(name).length > 0 ? "" : null),
      text: () => body.toString("utf8"),
    },
    end,
  };
}

function dechunk(bytes: Buffer, at: number): { body: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd < 0) return undefined;
    const line = bytes.toString("latin1", at, lineEnd);
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`malformed chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const data = lineEnd + 2;
    if (size === 0) {
      // The trailer section, if there is one, is of whom it may concern.
      const end = bytes.indexOf("\r\n\r\n", lineEnd, "latin1");
      return end < 0 ? undefined : { body: Buffer.concat(chunks), end: end + 4 };
    }
    if (data + size + 2 > bytes.length) return undefined;
    if (bytes.toString("latin1", data + size, data + size + 2) !== "\r\n") throw new Error("no CRLF behind a chunk");
    at = data + size + 2;
    chunks.push(bytes.subarray(data, data + size));
  }
}
