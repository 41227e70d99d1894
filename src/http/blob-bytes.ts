/**
 * The bytes of large Blobs that are sent again and again. A Blob never changes, but what it holds can only be read, each
 * time into new memory: that costs four times what sending the bytes does. So from its second time on a Blob is read
 * whole, beside what is being sent, and sent from there. The bytes are held weakly: by the responses that send them, and
 * else for as long as the garbage collector finds room for them.
 */
import { largeArray } from "../../ffi/huge-pages.ts";

/** Larger ones may stand for files that nobody wants in memory. */
const MOST = 128 * 1024 * 1024;
/** Read at once, before others get their turn. */
const PART = 1024 * 1024;

interface Kept {
  bytes: WeakRef<Uint8Array> | undefined;
  loading: boolean;
}

const kept = new WeakMap<Blob, Kept>();

/** The bytes of this Blob if they are there. To ask says that it is being sent. */
export function keptBytes(blob: Blob): Uint8Array | undefined {
  if (blob.size > MOST) return undefined;
  const known = kept.get(blob);
  if (known === undefined) {
    kept.set(blob, { bytes: undefined, loading: false });
    return undefined;
  }
  const bytes = known.bytes?.deref();
  if (bytes === undefined && !known.loading) {
    known.loading = true;
    // What can't be read is told by the response itself, whose own reading fails as well.
    load(blob).then(
      (loaded) => {
        known.bytes = new WeakRef(loaded);
        known.loading = false;
      },
      () => {
        known.loading = false;
      },
    );
  }
  return bytes;
}

async function load(blob: Blob): Promise<Uint8Array> {
  const bytes = largeArray(blob.size);
  for (let at = 0; at < bytes.length; at += PART) {
    const part = new Uint8Array(await blob.slice(at, at + PART).arrayBuffer());
    if (part.length !== Math.min(PART, bytes.length - at)) throw new TypeError("a Blob gave fewer bytes than its size");
    bytes.set(part, at);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return bytes;
}
