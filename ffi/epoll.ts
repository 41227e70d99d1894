/**
 * epoll(7), the readiness backend of Linux: three verbs and a wake, nothing more.
 *
 * Every descriptor is registered once, edge-triggered, for everything it can ever report, so a connection costs one
 * epoll_ctl(2) in its life. What an edge means and when to try again is `readiness.ts`'s knowledge.
 */
import { HANGUP, READABLE, type ReadinessBackend, URGENT, WRITABLE } from "./readiness.ts";
import type { LinuxSystem } from "./system.ts";

// sys/epoll.h
const EPOLLIN = 0x001;
const EPOLLPRI = 0x002;
const EPOLLOUT = 0x004;
const EPOLLERR = 0x008;
const EPOLLHUP = 0x010;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 1 << 31;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;

/** Events taken by one epoll_wait(2): enough that a busy turn needs one call, small enough to stay in cache. */
const BATCH = 512;
/** The data of our own eventfd; no handle is negative. */
const WAKE = -1;
/** And that of what ends a wait. */
const ATTENDED = -2;

/** Throws one sentence when the kernel refuses. */
export function openEpoll(sys: LinuxSystem): ReadinessBackend {
  const epfd = sys.epollCreate();
  if (epfd < 0) throw new Error(`epoll_create1 failed with errno ${-epfd}`);
  const eventfd = sys.eventfd();
  if (eventfd < 0) {
    sys.close(epfd);
    throw new Error(`eventfd failed with errno ${-eventfd}`);
  }
  const added = sys.epollControl(epfd, EPOLL_CTL_ADD, eventfd, EPOLLIN | EPOLLET, WAKE, 0);
  if (added < 0) {
    sys.close(eventfd);
    sys.close(epfd);
    throw new Error(`epoll_ctl failed with errno ${-added}`);
  }

  // struct epoll_event as 32-bit words: {events, handle, generation} packed on x86-64, one word of padding elsewhere.
  const stride = process.arch === "x64" ? 3 : 4;
  const memory = sys.allocate(BATCH * stride * 4);
  const words = new Int32Array(memory.buffer);
  const handles = new Int32Array(BATCH);
  const generations = new Int32Array(BATCH);
  const events = new Uint8Array(BATCH);
  const { EINTR } = sys.constants.errno;
  let attended = -1;

  return {
    name: "epoll",
    descriptor: epfd,
    handles,
    generations,
    events,
    open: (fd, handle, generation) =>
      sys.epollControl(
        epfd,
        EPOLL_CTL_ADD,
        fd,
        EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET, // EPOLLERR and EPOLLHUP are always reported
        handle,
        generation,
      ),
    // Needed only where another process may hold the same socket (a listener handed on): otherwise close(2) of the
    // last descriptor takes it out of the set by itself (epoll(7), Q6), and a syscall a connection is saved.
    forget: (fd) => void sys.epollControl(epfd, EPOLL_CTL_DEL, fd, 0, 0, 0),
    attendedReady: false,
    attend(fd) {
      if (attended >= 0) sys.epollControl(epfd, EPOLL_CTL_DEL, attended, 0, 0, 0);
      attended = fd;
      return fd < 0 ? 0 : sys.epollControl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN, ATTENDED, 0);
    },
    poll(timeoutMs) {
      const n = sys.epollWait(epfd, memory.address, BATCH, timeoutMs);
      if (n < 0) {
        if (n === -EINTR) return 0;
        throw new Error(`epoll_wait failed with errno ${-n}`);
      }
      let count = 0;
      for (let i = 0, at = 0; i < n; i++, at += stride) {
        const handle = words[at + stride - 2];
        if (handle === WAKE) {
          sys.eventfdRead(eventfd);
          continue;
        }
        if (handle === ATTENDED) {
          this.attendedReady = true;
          continue;
        }
        const kernel = words[at];
        handles[count] = handle;
        generations[count] = words[at + stride - 1];
        events[count++] =
          (kernel & EPOLLIN ? READABLE : 0) |
          (kernel & EPOLLPRI ? URGENT : 0) |
          (kernel & EPOLLOUT ? WRITABLE : 0) |
          (kernel & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? HANGUP : 0);
      }
      return count;
    },
    // EAGAIN: the counter is full, so a wake is on its way already.
    wake() {
      while (sys.eventfdWrite(eventfd) === -EINTR);
    },
    dispose() {
      sys.close(eventfd);
      sys.close(epfd);
    },
  };
}
