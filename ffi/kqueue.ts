/**
 * kqueue(2), the readiness backend of macOS, FreeBSD and OpenBSD: three verbs and a wake, nothing more.
 *
 * Every descriptor is registered once, for reading and for writing, with EV_CLEAR: an event is told once, and again when
 * there is more. What that means and when to try again is `readiness.ts`'s knowledge. Reading and writing are two events.
 */
import { HANGUP, READABLE, type ReadinessBackend, URGENT, WRITABLE } from "./readiness.ts";
import type { BsdSystem } from "./system.ts";

// sys/event.h, the same on all three
const EVFILT_READ = -1;
const EVFILT_WRITE = -2;
const EV_ADD = 0x0001;
const EV_DELETE = 0x0002;
const EV_CLEAR = 0x0020;
const EV_EOF = 0x8000;
const NOTE_TRIGGER = 0x01000000;

// struct kevent in 32-bit words, the low one first: ident, filter and flags in 16 bits each, fflags, data, udata.
const FILTER_AND_FLAGS = 2;
const FFLAGS = 3;
const UDATA = 6;

/** Events taken by one kevent(2): enough that a busy turn needs one call, small enough to stay in cache. */
const BATCH = 512;
/** Slots of our own for changes: two for a descriptor, one for the wake, which other threads write as well. */
const WAKE_AT = 2;
/** The udata of our own event; no handle is negative. */
const WAKE = -1;
/** And that of what ends a wait. */
const ATTENDED = -2;

/** Throws one sentence when the kernel refuses. */
export function openKqueue(sys: BsdSystem): ReadinessBackend {
  const { EVFILT_USER, NOTE_OOB, keventBytes, errno } = sys.constants;
  const kq = sys.kqueue();
  if (kq < 0) throw new Error(`kqueue failed with errno ${-kq}`);

  const stride = keventBytes / 4;
  const memory = sys.allocate(BATCH * keventBytes);
  const words = new Int32Array(memory.buffer);
  const changeMemory = sys.allocate((WAKE_AT + 1) * keventBytes);
  const changes = new Int32Array(changeMemory.buffer).fill(0);
  const handles = new Int32Array(BATCH);
  const generations = new Int32Array(BATCH);
  const events = new Uint8Array(BATCH);
  let attended = -1;

  const set = (slot: number, ident: number, filter: number, flags: number, fflags: number, low = 0, high = 0): void => {
    const at = slot * stride;
    changes[at] = ident;
    changes[at + FILTER_AND_FLAGS] = (filter & 0xffff) | (flags << 16);
    changes[at + FFLAGS] = fflags;
    changes[at + UDATA] = low;
    changes[at + UDATA + 1] = high;
  };
  /** With no room for events the first change that is refused ends the list, and is what the call says. */
  const change = (slot: number, count: number): number => {
    const failed = sys.keventChange(kq, changeMemory.address + slot * keventBytes, count);
    // kevent(2): interrupted, it has made all changes.
    return failed === -errno.EINTR ? 0 : failed;
  };

  set(WAKE_AT, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, WAKE);
  const added = change(WAKE_AT, 1);
  if (added < 0) {
    sys.close(kq);
    throw new Error(`kevent failed with errno ${-added}`);
  }
  set(WAKE_AT, 0, EVFILT_USER, 0, NOTE_TRIGGER, WAKE);

  return {
    name: "kqueue",
    descriptor: kq,
    handles,
    generations,
    events,
    open(fd, handle, generation) {
      set(0, fd, EVFILT_READ, EV_ADD | EV_CLEAR, NOTE_OOB, handle, generation);
      set(1, fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, handle, generation);
      const failed = change(0, 2);
      if (failed < 0) {
        // The first half may be there, and the descriptor is still the caller's.
        set(0, fd, EVFILT_READ, EV_DELETE, 0);
        change(0, 1);
      }
      return failed;
    },
    // Events belong to this process's descriptor, not to the socket: close(2) removes them, whoever else holds it.
    forget() {},
    attendedReady: false,
    attend(fd) {
      if (attended >= 0) {
        set(0, attended, EVFILT_READ, EV_DELETE, 0);
        change(0, 1);
      }
      attended = fd;
      if (fd < 0) return 0;
      set(0, fd, EVFILT_READ, EV_ADD, 0, ATTENDED);
      return change(0, 1);
    },
    poll(timeoutMs) {
      const n = sys.keventWait(kq, memory.address, BATCH, timeoutMs);
      if (n < 0) {
        if (n === -errno.EINTR) return 0;
        throw new Error(`kevent failed with errno ${-n}`);
      }
      let count = 0;
      for (let i = 0, at = 0; i < n; i++, at += stride) {
        const handle = words[at + UDATA];
        if (handle === WAKE) continue;
        if (handle === ATTENDED) {
          this.attendedReady = true;
          continue;
        }
        const filter = (words[at + FILTER_AND_FLAGS] << 16) >> 16;
        const ended = (words[at + FILTER_AND_FLAGS] >>> 16) & EV_EOF;
        handles[count] = handle;
        generations[count] = words[at + UDATA + 1];
        // The end of what is written is told after our own shutdown(2) too: the peer's is that of what is read, and data
        // may stand before it. Where urgent data is not told of, a short read never means that there is no more.
        events[count++] =
          filter === EVFILT_WRITE
            ? WRITABLE
            : ended
              ? READABLE | HANGUP
              : NOTE_OOB === 0 || words[at + FFLAGS] & NOTE_OOB
                ? READABLE | URGENT
                : READABLE;
      }
      return count;
    },
    wake: () => void change(WAKE_AT, 1),
    dispose: () => void sys.close(kq),
  };
}
