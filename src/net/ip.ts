/** IP addresses as text and as bytes: RFC 4291 section 2.2 for what is accepted, RFC 5952 for what is written. */

/** The 4 or 16 bytes of an address; `zone` is what follows "%" in a scoped IPv6 address (RFC 4007), else "". */
export interface Ip {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly zone: string;
}

/** Parses "192.0.2.1", "2001:db8::1", "fe80::1%eth0" or "[2001:db8::1]"; undefined for anything else, as for a name. */
export function parseIp(text: string): Ip | undefined {
  if (text.startsWith("[") && text.endsWith("]")) text = text.slice(1, -1);
  const percent = text.indexOf("%");
  const zone = percent < 0 ? "" : text.slice(percent + 1);
  const bytes = text.includes(":") ? parseV6(percent < 0 ? text : text.slice(0, percent)) : parseV4(text);
  if (bytes === undefined || (percent >= 0 && zone === "")) return undefined;
  return { bytes, zone };
}

function parseV4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // No leading zeros: some parsers read them as octal, so two parties could mean different hosts.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseV6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const before = parseGroups(halves[0], halves.length === 1);
  const after = halves.length === 1 ? [] : parseGroups(halves[1], true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  // "::" stands for at least one group.
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(before);
  bytes.set(after, 16 - after.length);
  return bytes;
}

/** The bytes of colon-separated groups; the last may be a dotted IPv4 address where `last` says that it ends there. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (last && i === groups.length - 1 && group.includes(".")) {
      const v4 = parseV4(group);
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else {
      return undefined;
    }
  }
  return bytes;
}

/** "192.0.2.1" from the 4 bytes at `at`. */
export function formatV4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The canonical text of the 16 bytes at `at`: lower case, the longest run of zero groups as "::" (RFC 5952). */
export function formatV6(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[at + 2 * i] << 8) | bytes[at + 2 * i + 1]);
  let start = -1;
  let length = 1; // a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    if (end > i) i = end;
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** True when the 16 bytes at `at` are an IPv4 address in IPv6's clothes, ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
export function isMappedV4(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}
