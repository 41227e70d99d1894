/**
 * The calls of Windows's completion ports: a seam beside `System`, as `uring-calls.ts` is. `operation` is the address of
 * an operation of `iocp-operations.ts`; a negated errno of PENDING means that its completion follows. So it does when a
 * call has succeeded at once: the port is told in either case.
 */
import { windows } from "./constants/windows.ts";
import { koffi } from "./koffi.ts";

/** WSA_IO_PENDING */
export const PENDING = 997;

export interface IocpCalls {
  createPort(): number;
  /** Whatever ends on `fd` from here on is told to the port. Returns 0 or a negated errno. */
  associate(fd: number, port: number): number;
  /** GetQueuedCompletionStatusEx: fills the memory at `entries`. False when the time ran out; -1 waits for ever. */
  take(port: number, entries: number, timeoutMs: number): boolean;
  /** The same on a thread of the host's pool; `done` runs on ours. The memory is that thread's until then. */
  takeLater(port: number, entries: number, done: (taken: boolean) => void): void;
  /** An entry of nobody's: it ends a wait. */
  post(port: number): void;
  closePort(port: number): void;
  /** WSARecv into no bytes: it ends when there is something to be read, the connection's end included. */
  receive(fd: number, operation: number): number;
  /** WSASend of the bytes that the operation's WSABUF names. */
  send(fd: number, operation: number): number;
  accept(listener: number, fd: number, operation: number): number;
  /** After an accept: the socket is a connection like any other. */
  accepted(fd: number, listener: number): number;
  connect(fd: number, address: Uint8Array, operation: number): number;
  connected(fd: number): number;
  /** CancelIoEx, of all that this process has under way on the socket. */
  cancel(fd: number): void;
  /** What an operation that has failed failed with: an errno. */
  error(fd: number, operation: number): number;
}

/** So many completions are taken at a time: OVERLAPPED_ENTRY { key, address of the OVERLAPPED, status, bytes }. */
export const ENTRIES = 256;
export const ENTRY_BYTES = 32;
/** Behind them: how many there are. */
export const COUNT_AT = ENTRIES * ENTRY_BYTES;
/** Behind the OVERLAPPED of an operation: a WSABUF, and the flags of a receive. */
export const BUFFER_AT = 32;
export const FLAGS_AT = 48;
const INVALID_HANDLE = 18446744073709551615n;
const INFINITE = 0xffffffff;
const SIO_GET_EXTENSION_FUNCTION_POINTER = 0xc8000006;
const SKIP_SET_EVENT_ON_HANDLE = 2;
const SO_UPDATE_ACCEPT_CONTEXT = 0x700b;
const SO_UPDATE_CONNECT_CONTEXT = 0x7010;
/** mswsock.h */
const WSAID_ACCEPTEX = [0xf1, 0x7d, 0x36, 0xb5, 0xac, 0xcb, 0xcf, 0x11, 0x95, 0xca, 0, 0x80, 0x5f, 0x48, 0xa1, 0x92];
const WSAID_CONNECTEX = [
  0xb9, 0x07, 0xa2, 0x25, 0xf3, 0xdd, 0x60, 0x46, 0x8e, 0xe9, 0x76, 0xe5, 0x8c, 0x74, 0x06, 0x3e,
];
/** AcceptEx wants room for the longest address of the protocol and 16 bytes; the longest is a sockaddr_un. */
const ADDRESS_ROOM = 128 + 16;

let bound: IocpCalls | undefined;

/** The real ones, bound once a process. */
export function iocpCalls(): IocpCalls {
  return (bound ??= bind());
}

type Extension = (...numbers: (number | Uint8Array)[]) => number;

function bind(): IocpCalls {
  const kernel = koffi.load("kernel32.dll");
  const ws2 = koffi.load("ws2_32.dll");
  const u = "uint64_t";
  const w = "uint32_t";
  const lastError = kernel.func("GetLastError", w, []);
  const createPort = kernel.func("CreateIoCompletionPort", u, [u, u, u, w]);
  const closeHandle = kernel.func("CloseHandle", "int", [u]);
  const take = kernel.func("GetQueuedCompletionStatusEx", "int", [u, u, w, u, w, "int"]);
  const post = kernel.func("PostQueuedCompletionStatus", "int", [u, w, u, u]);
  const cancel = kernel.func("CancelIoEx", "int", [u, u]);
  const modes = kernel.func("SetFileCompletionNotificationModes", "int", [u, "uint8_t"]);
  const receive = ws2.func("WSARecv", "int", [u, u, w, u, u, u, u]);
  const send = ws2.func("WSASend", "int", [u, u, w, u, w, u, u]);
  const overlappedResult = ws2.func("WSAGetOverlappedResult", "int", [u, u, "void *", "int", "void *"]);
  const setsockopt = ws2.func("setsockopt", "int", [u, "int", "int", "void *", "int"]);
  const ioctl = ws2.func("WSAIoctl", "int", [u, w, "void *", w, "void *", w, "void *", u, u]);
  const socket = ws2.func("WSASocketW", u, ["int", "int", "int", u, w, w]);
  const closesocket = ws2.func("closesocket", "int", [u]);

  const failed = (): number => -lastError();
  const words = new Uint32Array(2);
  // AcceptEx writes addresses here, of all accepts at once: getpeername says the same, and is right under Wine as well.
  const addresses: unknown = koffi.alloc("uint8_t", 2 * ADDRESS_ROOM);
  const addressesAt = Number(koffi.address(addresses));
  const listenerAsBytes = new BigUint64Array(1);

  const { AF_INET, SOCK_STREAM, SOL_SOCKET } = windows;
  const asked: number = socket(AF_INET, SOCK_STREAM, 0, 0, 0, 1);
  const extension = (id: readonly number[], prototype: string): Extension => {
    const pointer = new BigUint64Array(1);
    if (ioctl(asked, SIO_GET_EXTENSION_FUNCTION_POINTER, new Uint8Array(id), 16, pointer, 8, words, 0, 0) !== 0) {
      throw new Error(`no ${prototype.slice(4, 13)} in this system's sockets: error ${-failed()}`);
    }
    return koffi.decode(pointer[0], koffi.proto(prototype)) as Extension;
  };
  const acceptEx = extension(
    WSAID_ACCEPTEX,
    "int AcceptEx(uint64_t, uint64_t, uint64_t, uint32_t, uint32_t, uint32_t, uint64_t, uint64_t)",
  );
  const connectEx = extension(
    WSAID_CONNECTEX,
    "int ConnectEx(uint64_t, const uint8_t *, int, uint64_t, uint32_t, uint64_t, uint64_t)",
  );
  closesocket(asked);

  return {
    createPort: () => createPort(INVALID_HANDLE, 0, 0, 1) || failed(),
    associate(fd, port) {
      if (createPort(fd, port, 0, 0) !== port) return failed();
      modes(fd, SKIP_SET_EVENT_ON_HANDLE);
      return 0;
    },
    take: (port, entries, timeoutMs) =>
      take(port, entries, ENTRIES, entries + COUNT_AT, timeoutMs < 0 ? INFINITE : timeoutMs, 0) !== 0,
    takeLater(port, entries, done) {
      take.async(port, entries, ENTRIES, entries + COUNT_AT, INFINITE, 0, (error: unknown, ok: number) =>
        done(!error && ok !== 0),
      );
    },
    post: (port) => void post(port, 0, 0, 0),
    closePort: (port) => void closeHandle(port),
    receive: (fd, operation) =>
      receive(fd, operation + BUFFER_AT, 1, 0, operation + FLAGS_AT, operation, 0) === 0 ? 0 : failed(),
    send: (fd, operation) => (send(fd, operation + BUFFER_AT, 1, 0, 0, operation, 0) === 0 ? 0 : failed()),
    accept: (listener, fd, operation) =>
      acceptEx(listener, fd, addressesAt, 0, ADDRESS_ROOM, ADDRESS_ROOM, operation + FLAGS_AT, operation) !== 0
        ? 0
        : failed(),
    accepted(fd, listener) {
      listenerAsBytes[0] = BigInt(listener);
      return setsockopt(fd, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, listenerAsBytes, 8) === 0 ? 0 : failed();
    },
    connect: (fd, address, operation) =>
      connectEx(fd, address, address.length, 0, 0, 0, operation) !== 0 ? 0 : failed(),
    connected: (fd) => (setsockopt(fd, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, null, 0) === 0 ? 0 : failed()),
    cancel: (fd) => void cancel(fd, 0),
    error(fd, operation) {
      if (overlappedResult(fd, operation, words.subarray(0, 1), 0, words.subarray(1)) !== 0) return 0;
      return lastError();
    },
  };
}
