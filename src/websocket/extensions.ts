/** What a client offers in Sec-WebSocket-Extensions (RFC 6455, 9.1), and what of permessage-deflate is agreed to. */

/** How messages are compressed on a connection (RFC 7692, 7.1). */
export interface Agreement {
  /** 9 to 15: windows of 2^bits bytes. */
  readonly serverBits: number;
  readonly clientBits: number;
  /** Whether a window lives on behind a message. */
  readonly serverKeeps: boolean;
  readonly clientKeeps: boolean;
  /** As the response says it. */
  readonly text: string;
}

type Parameters = Map<string, string | undefined>;

export interface Offer {
  readonly name: string;
  readonly parameters: Parameters;
}

/** Windows that we choose: 4 KiB (see compression.ts). */
const OUR_BITS = 12;
const MOST_BITS = 15;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`\\s*;\\s*(${TOKEN})(?:\\s*=\\s*(?:(${TOKEN})|"(${TOKEN})"))?`, "y");
const NAME = new RegExp(`[\\s,]*(${TOKEN})`, "y");
const END = /\s*(?:,|$)/y;

/** The offers in their order; undefined where the field breaks the grammar, and the handshake with it. */
export function parseOffers(field: string): Offer[] | undefined {
  const offers: Offer[] = [];
  let at = 0;
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(field);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (at < field.length) {
    const name = next(NAME)?.[1];
    if (name === undefined) return /^[\s,]*$/.test(field.slice(at)) ? offers : undefined;
    const parameters: Parameters = new Map();
    let twice = false;
    for (let found = next(PARAMETER); found !== null; found = next(PARAMETER)) {
      twice ||= parameters.has(found[1]);
      parameters.set(found[1], found[2] ?? found[3]);
    }
    if (next(END) === null) return undefined;
    // RFC 7692, 7.1: an offer that says something twice is declined.
    if (!twice) offers.push({ name: name.toLowerCase(), parameters });
  }
  return offers;
}

/** The first offer of permessage-deflate that we can keep to; `windows` says whether there is memory for any. */
export function agree(offers: readonly Offer[], windows: (bytes: number) => boolean): Agreement | undefined {
  for (const { name, parameters } of offers) {
    if (name !== "permessage-deflate") continue;
    const agreement = agreeTo(parameters, windows);
    if (agreement !== undefined) return agreement;
  }
  return undefined;
}

function agreeTo(parameters: Parameters, windows: (bytes: number) => boolean): Agreement | undefined {
  let serverBits = OUR_BITS;
  let clientBits = MOST_BITS;
  let serverKeeps = true;
  let clientKeeps = true;
  let boundsClient = false;
  for (const [name, value] of parameters) {
    switch (name) {
      case "server_no_context_takeover":
        if (value !== undefined) return undefined;
        serverKeeps = false;
        break;
      case "client_no_context_takeover":
        if (value !== undefined) return undefined;
        clientKeeps = false;
        break;
      case "server_max_window_bits": {
        const bits = windowBits(value);
        // zlib makes no raw deflate with a window of 8 bits: that can't be promised.
        if (bits === undefined || bits < 9) return undefined;
        serverBits = Math.min(serverBits, bits);
        break;
      }
      case "client_max_window_bits": {
        // Without a value it says that the client understands the answer (RFC 7692, 7.1.2.2).
        const bits = value === undefined ? MOST_BITS : windowBits(value);
        if (bits === undefined) return undefined;
        boundsClient = true;
        clientBits = Math.max(9, Math.min(OUR_BITS, bits));
        if (bits === 8) clientBits = 8;
        break;
      }
      default:
        return undefined;
    }
  }
  const wanted = (serverKeeps ? 2 ** serverBits : 0) + (clientKeeps ? 2 ** clientBits : 0);
  if (!windows(wanted)) serverKeeps = clientKeeps = false;
  let text = `permessage-deflate; server_max_window_bits=${serverBits}`;
  if (!serverKeeps) text += "; server_no_context_takeover";
  if (!clientKeeps) text += "; client_no_context_takeover";
  if (boundsClient) text += `; client_max_window_bits=${clientBits}`;
  // What was made with a window of 8 bits is read with one of 9.
  return { serverBits, clientBits: Math.max(9, clientBits), serverKeeps, clientKeeps, text };
}

/** RFC 7692, 7.1.2.1: 8 to 15, in decimal and without leading zeros. */
function windowBits(value: string | undefined): number | undefined {
  return value !== undefined && /^(?:[89]|1[0-5])$/.test(value) ? Number(value) : undefined;
}
