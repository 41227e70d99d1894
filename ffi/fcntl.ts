/**
 * fcntl(2), for descriptors that somebody else made: inherited ones come without the flags that ours always have.
 * Variadic, so declared with `...`: on some ABIs variadic arguments travel differently. Bound when first asked for.
 */
import { type Constants, constantsHere } from "./constants.ts";
import { koffi } from "./koffi.ts";
import { setNonBlockingUninherited } from "./winsock.ts";

const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;

/** Another number for the same open file, which no child inherits. Returns it, or a negated errno. */
export function duplicate(fd: number): number {
  if (process.platform === "win32") return -constantsHere().errno.EOPNOTSUPP;
  const fcntl = koffi.load(null).func("int fcntl(int fd, int command, ...)");
  const copy: number = fcntl(fd, constantsHere().F_DUPFD_CLOEXEC, "int", 3);
  return copy < 0 ? -koffi.errno() : copy;
}

/** Makes a descriptor non-blocking and close-on-exec. Returns 0 or a negated errno. */
export function setNonBlockingCloexec(constants: Constants, fd: number): number {
  if (constants.system === "windows") return setNonBlockingUninherited(fd);
  const fcntl = koffi.load(null).func("int fcntl(int fd, int command, ...)");
  const flags: number = fcntl(fd, F_GETFL);
  if (flags < 0) return -koffi.errno();
  if (fcntl(fd, F_SETFL, "int", flags | constants.O_NONBLOCK) < 0) return -koffi.errno();
  if (fcntl(fd, F_SETFD, "int", FD_CLOEXEC) < 0) return -koffi.errno();
  return 0;
}
