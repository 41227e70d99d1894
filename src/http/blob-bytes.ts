/**
 * The bytes of large Blobs that are sent again and again. A Blob never changes, but what it holds can only be read, each
 * time into new memory: that costs four times what sending the bytes does. So from its second time on a Blob is read
 * whole, beside what is being sent, and sent from there, until nobody has asked for it for a while.
 */
import { largeArray } from "../../ffi/huge-pages.ts";

/** All that is kept. Larger Blobs may stand for files that nobody wants in memory. */
const MOST = 128 * 1024 * 1024;
/** Read at once, before others get their turn. */
const PART = 1024 * 1024;
/** Nobody asks for it in this time, or twice that: it is let go of. */
const REST_MS = 10_000;

interface Kept {
  /** Held weakly, so that a Blob that nobody has any more goes at once. */
  readonly blob: WeakRef<Blob>;
  bytes: Uint8Array | undefined;
  state: "seen" | "loading" | "kept";
  used: boolean;
}

const seen = new WeakMap<Blob, Kept>();
const keeping = new Set<Kept>();
let total = 0;
let resting: ReturnType<typeof setTimeout> | undefined;

/** The bytes of this Blob if they are there. To ask says that it is being sent. */
export function keptBytes(blob: Blob): Uint8Array | undefined {
  const kept = seen.get(blob);
  if (kept === undefined) {
    seen.set(blob, { blob: new WeakRef(blob), bytes: undefined, state: "seen", used: true });
    return undefined;
  }
  kept.used = true;
  if (kept.state === "seen" && total + blob.size <= MOST) keep(kept, blob);
  return kept.bytes;
}

function keep(kept: Kept, blob: Blob): void {
  kept.state = "loading";
  total += blob.size;
  load(blob).then(
    (bytes) => {
      kept.state = "kept";
      kept.bytes = bytes;
      keeping.add(kept);
      sweepLater();
    },
    // What can't be read is told by the response itself, whose own reading fails as well.
    () => {
      kept.state = "seen";
      total -= blob.size;
    },
  );
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

function sweepLater(): void {
  if (resting !== undefined) return;
  resting = setTimeout(sweep, REST_MS);
  resting.unref?.();
}

function sweep(): void {
  resting = undefined;
  for (const kept of keeping) {
    if (kept.used && kept.blob.deref() !== undefined) {
      kept.used = false;
      continue;
    }
    keeping.delete(kept);
    total -= kept.bytes?.length ?? 0;
    kept.bytes = undefined;
    kept.state = "seen";
  }
  if (keeping.size > 0) sweepLater();
}
