/**
 * The Huffman code of HPACK (RFC 7541, 5.2 and appendix B). It is canonical, so the lengths of its codes are all of it:
 * codes of one length go up by symbol, and a longer code begins behind the last shorter one.
 */

/** Of each of the 256 bytes and of EOS, the length of its code in bits, as one digit to base 36. */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565" +
  "65666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmp" +
  "qqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";

const EOS = 256;
const CODES = new Uint32Array(257);
const BITS = new Uint8Array(257);

/** An entry of the decoder's table: the node that four bits lead to, and the byte that ends on the way. */
const NODE = 0xff;
const EMITS = 0x100;
const FAILS = 0x200;
const BYTE_SHIFT = 16;
/** By node and next four bits. A byte has five bits at least, so four bits end one at most. */
let table: Uint32Array | undefined;
/** Nodes where a string may end: padding is less than a byte of the most significant bits of EOS, which are ones. */
const mayEnd = new Uint8Array(256);

/** At the first use: every server would pay for it at its start. */
function prepare(): void {
  for (let symbol = 0; symbol < 257; symbol++) BITS[symbol] = Number.parseInt(LENGTHS[symbol], 36);
  for (let length = 5, code = 0; length <= 30; length++, code *= 2) {
    for (let symbol = 0; symbol < 257; symbol++) if (BITS[symbol] === length) CODES[symbol] = code++;
  }
}

/**
 * Decodes `bytes[start, end)` into `out`, which has room for 8 / 5 as many bytes. Returns how many there are, or -1 for
 * what is no such string: EOS within it, padding that is too long or is not EOS's.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  const steps = (table ??= build());
  let node = 0;
  let at = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    let step = steps[(node << 4) | (byte >> 4)];
    if ((step & EMITS) !== 0) out[at++] = step >>> BYTE_SHIFT;
    else if ((step & FAILS) !== 0) return -1;
    step = steps[((step & NODE) << 4) | (byte & 15)];
    if ((step & EMITS) !== 0) out[at++] = step >>> BYTE_SHIFT;
    else if ((step & FAILS) !== 0) return -1;
    node = step & NODE;
  }
  return mayEnd[node] === 1 ? at : -1;
}

/** How many bytes a latin1 string takes; to be asked before one is written. */
export function huffmanLength(text: string): number {
  if (BITS[0] === 0) prepare();
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += BITS[text.charCodeAt(i) & 0xff];
  return (bits + 7) >> 3;
}

/** Writes a latin1 string, returns the index behind it. */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let held = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i) & 0xff;
    let bits = BITS[c];
    let code = CODES[c];
    // At most 7 bits are held, so that 24 more fit into 31.
    if (bits > 24) {
      bits -= 16;
      held = (held << bits) | (code >>> 16);
      count += bits;
      while (count >= 8) out[at++] = held >>> (count -= 8);
      held &= (1 << count) - 1;
      code &= 0xffff;
      bits = 16;
    }
    held = (held << bits) | code;
    count += bits;
    while (count >= 8) out[at++] = held >>> (count -= 8);
    held &= (1 << count) - 1;
  }
  if (count > 0) out[at++] = (held << (8 - count)) | (0xff >>> count);
  return at;
}

/** The tree of all codes has 256 inner nodes. */
function build(): Uint32Array {
  prepare();
  const children = new Int16Array(512).fill(-1);
  let nodes = 1;
  mayEnd[0] = 1;
  for (let symbol = 0; symbol < 257; symbol++) {
    let node = 0;
    for (let bit = BITS[symbol] - 1; bit > 0; bit--) {
      const way = node * 2 + ((CODES[symbol] >>> bit) & 1);
      if (children[way] < 0) children[way] = nodes++;
      node = children[way];
      if (symbol === EOS && BITS[symbol] - bit < 8) mayEnd[node] = 1;
    }
    // Symbols stand behind the nodes.
    children[node * 2 + (CODES[symbol] & 1)] = 256 + symbol;
  }
  const steps = new Uint32Array(256 * 16);
  for (let from = 0; from < 256; from++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = from;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        node = children[node * 2 + ((nibble >> bit) & 1)];
        if (node < 256) continue;
        const symbol = node - 256;
        step |= symbol === EOS ? FAILS : EMITS | (symbol << BYTE_SHIFT);
        node = 0;
      }
      // Bytes of more than 16 bits never meet a second end: `node` is below 256 here.
      steps[(from << 4) | nibble] = step | node;
    }
  }
  return steps;
}
