/**
 * Deno's error classes, and the one place where an errno becomes one of them. `Deno.errors` are these very classes, so
 * `instanceof` holds wherever an error was thrown. Names and wording: Deno's runtime, std::io::ErrorKind.
 */
class SystemError extends Error {
  /** The errno's name, e.g. "EADDRINUSE", where the kernel said no. */
  declare code?: string;
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class NotFound extends SystemError {}
export class PermissionDenied extends SystemError {}
export class ConnectionRefused extends SystemError {}
export class ConnectionReset extends SystemError {}
export class ConnectionAborted extends SystemError {}
export class NotConnected extends SystemError {}
export class AddrInUse extends SystemError {}
export class AddrNotAvailable extends SystemError {}
export class BrokenPipe extends SystemError {}
export class AlreadyExists extends SystemError {}
export class InvalidData extends SystemError {}
export class TimedOut extends SystemError {}
export class Interrupted extends SystemError {}
export class WriteZero extends SystemError {}
export class WouldBlock extends SystemError {}
export class UnexpectedEof extends SystemError {}
export class BadResource extends SystemError {}
export class Http extends SystemError {}
export class Busy extends SystemError {}
export class NotSupported extends SystemError {}
export class FilesystemLoop extends SystemError {}
export class IsADirectory extends SystemError {}
export class NetworkUnreachable extends SystemError {}
export class NotADirectory extends SystemError {}
export class NotCapable extends SystemError {}

export const errors = {
  NotFound,
  PermissionDenied,
  ConnectionRefused,
  ConnectionReset,
  ConnectionAborted,
  NotConnected,
  AddrInUse,
  AddrNotAvailable,
  BrokenPipe,
  AlreadyExists,
  InvalidData,
  TimedOut,
  Interrupted,
  WriteZero,
  WouldBlock,
  UnexpectedEof,
  BadResource,
  Http,
  Busy,
  NotSupported,
  FilesystemLoop,
  IsADirectory,
  NetworkUnreachable,
  NotADirectory,
  NotCapable,
};
