/** From an errno to an error a person can act on: Deno's class, the system's sentence, where it happened. */
import type { Constants, ErrnoName } from "../../ffi/constants.ts";
import { errors } from "./errors.ts";

type ErrorClass = new (message?: string, options?: ErrorOptions) => Error;

/** The classes and sentences of Rust's std::io, which Deno shows; tests and programs match on both. */
const table: Partial<Record<ErrnoName, readonly [ErrorClass, string]>> = {
  EPERM: [errors.PermissionDenied, "Operation not permitted"],
  ENOENT: [errors.NotFound, "No such file or directory"],
  EINTR: [errors.Interrupted, "Interrupted system call"],
  EBADF: [errors.BadResource, "Bad file descriptor"],
  EAGAIN: [errors.WouldBlock, "Resource temporarily unavailable"],
  EACCES: [errors.PermissionDenied, "Permission denied"],
  EEXIST: [errors.AlreadyExists, "File exists"],
  ENOTDIR: [errors.NotADirectory, "Not a directory"],
  EINVAL: [TypeError, "Invalid argument"],
  ENFILE: [Error, "Too many open files in system"],
  EMFILE: [Error, "Too many open files"],
  ENOMEM: [Error, "Cannot allocate memory"],
  ENOBUFS: [Error, "No buffer space available"],
  EPIPE: [errors.BrokenPipe, "Broken pipe"],
  EADDRINUSE: [errors.AddrInUse, "Address already in use"],
  EADDRNOTAVAIL: [errors.AddrNotAvailable, "Cannot assign requested address"],
  ENETDOWN: [Error, "Network is down"],
  ENETUNREACH: [errors.NetworkUnreachable, "Network is unreachable"],
  ECONNABORTED: [errors.ConnectionAborted, "Software caused connection abort"],
  ECONNRESET: [errors.ConnectionReset, "Connection reset by peer"],
  ENOTCONN: [errors.NotConnected, "Transport endpoint is not connected"],
  ETIMEDOUT: [errors.TimedOut, "Connection timed out"],
  ECONNREFUSED: [errors.ConnectionRefused, "Connection refused"],
  EHOSTUNREACH: [Error, "No route to host"],
  EAFNOSUPPORT: [Error, "Address family not supported by protocol"],
  EMSGSIZE: [Error, "Message too long"],
  ENAMETOOLONG: [Error, "File name too long"],
  EOPNOTSUPP: [errors.NotSupported, "Operation not supported"],
};

/**
 * The error for an errno: class and sentence as Deno's, then where it happened and, if given, what to do.
 *
 * `errnoError(linux, 98, "listen on 0.0.0.0:80", "choose another port")` is an `AddrInUse`, "Address already in use
 * (os error 98): listen on 0.0.0.0:80; choose another port", its `code` "EADDRINUSE".
 */
export function errnoError(constants: Constants, errno: number, where?: string, cure?: string): Error {
  const name = errnoName(constants, errno);
  const [Class, sentence] = (name && table[name]) ?? [Error, name ?? "System call failed"];
  const message = `${sentence} (os error ${errno})${where ? `: ${where}` : ""}${cure ? `; ${cure}` : ""}`;
  const error = new Class(message);
  if (name) Object.assign(error, { code: name });
  return error;
}

/** The name of an errno on this system, e.g. "ECONNRESET"; undefined for one that we never tell apart. */
export function errnoName(constants: Constants, errno: number): ErrnoName | undefined {
  for (const name in constants.errno) {
    if (constants.errno[name as ErrnoName] === errno) return name as ErrnoName;
  }
  return undefined;
}
