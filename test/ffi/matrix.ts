/**
 * Every call of the seam, the faults that its man page (section 2, or 7 for tcp, udp, unix) allows, and what must come
 * of each:
 *
 *   passes    nobody notices: it is tried again, or waited for
 *   breaks    one connection, at most, ends; all others, and the server, go on
 *   refuses   the operation that was asked for fails with one clear error and leaves nothing; the next one succeeds
 *
 * What refuses at one call site may pass at another (TCP_NODELAY of a listener, SO_LINGER of a connection that is cut):
 * refusing is the most that may happen.
 */
import type { Call, Kind } from "./single-fault.ts";

export interface Expected {
  readonly passes?: readonly Kind[];
  readonly breaks?: readonly Kind[];
  readonly refuses?: readonly Kind[];
}

export const matrix: Readonly<Record<Call, Expected>> = {
  socket: { refuses: ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"] },
  socketpair: { refuses: ["EMFILE", "ENFILE", "ENOMEM"] },
  bind: { refuses: ["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOMEM"] },
  listen: { refuses: ["EADDRINUSE"] },
  // Linux hands errors of the connection on through accept(2): they are that connection's, whatever their names.
  accept: {
    passes: ["EINTR", "EAGAIN", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EHOSTUNREACH", "ENETUNREACH", "EOPNOTSUPP", "ETIMEDOUT", "ECONNRESET"], // biome-ignore format: a list
  },
  connect: {
    passes: ["EINTR"],
    refuses: ["ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"],
  },
  receive: {
    passes: ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "1 byte", "half"],
    breaks: ["ECONNRESET", "ETIMEDOUT", "ENOTCONN"],
  },
  receiveFrom: { passes: ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS"], breaks: ["ECONNREFUSED"] },
  sendAt: {
    passes: ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "1 byte", "half"],
    breaks: ["EPIPE", "ECONNRESET", "ETIMEDOUT"],
  },
  send: {
    passes: ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "1 byte", "half"],
    breaks: ["EPIPE", "ECONNRESET", "ETIMEDOUT"],
  },
  sendTo: { passes: ["EINTR", "EAGAIN", "ENOBUFS"], refuses: ["ENOMEM", "EMSGSIZE", "ECONNREFUSED", "ENETUNREACH"] },
  sendFile: {
    passes: ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EINVAL", "1 byte", "half"],
    breaks: ["EPIPE", "ECONNRESET", "ETIMEDOUT"],
  },
  peekFile: { passes: ["EAGAIN", "EINTR", "EOPNOTSUPP", "EINVAL"] },
  // The peer was faster: then there is nobody to say good-bye to.
  shutdown: { breaks: ["ENOTCONN"] },
  unacknowledged: { passes: ["EBADF", "EINVAL"] },
  descriptorLimit: { passes: ["EINVAL", "EPERM"] },
  // Linux has closed the descriptor, whatever it says.
  close: { passes: ["EINTR", "EBADF"] },
  setsockopt: { refuses: ["ENOMEM", "ENOBUFS", "EINVAL", "EPERM"] },
  getsockopt: { refuses: ["ENOBUFS", "EINVAL"] },
  getsockname: { refuses: ["ENOBUFS"] },
  getpeername: { passes: ["ENOBUFS", "ENOTCONN"] },
  epollCreate: { refuses: ["EMFILE", "ENFILE", "ENOMEM"] },
  // A connection that can't be watched is closed; a listener, or the poller, says so.
  epollControl: { breaks: ["ENOMEM"] },
  epollWait: { passes: ["EINTR", "1 byte"] },
  kqueue: { refuses: ["EMFILE", "ENFILE", "ENOMEM"] },
  keventChange: { passes: ["EINTR"], breaks: ["ENOMEM"] },
  keventWait: { passes: ["EINTR", "1 byte"] },
  // io_uring: receives, sends, polls for readiness, polls for a hang-up.
  ringReceive: {
    passes: ["EINTR", "EAGAIN", "ENOMEM", "ENOBUFS", "ECANCELED", "once"],
    breaks: ["ECONNRESET", "ETIMEDOUT", "ENOTCONN"],
  },
  ringSend: {
    passes: ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "half"],
    breaks: ["EPIPE", "ECONNRESET", "ETIMEDOUT"],
  },
  ringReady: { passes: ["spurious", "EINTR"], breaks: ["ENOMEM"] },
  ringHangup: { breaks: ["ENOMEM"] },
  enter: { passes: ["EINTR", "EAGAIN", "half"] },
  eventfd: { refuses: ["EMFILE", "ENFILE", "ENOMEM"] },
  eventfdRead: { passes: ["EINTR", "EAGAIN"] },
  eventfdWrite: { passes: ["EINTR"] },
};
