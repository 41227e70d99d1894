/**
 * systemd's socket activation, sd_listen_fds(3): listening sockets come as descriptors 3, 4, …; LISTEN_FDS says how
 * many, LISTEN_PID for whom, and LISTEN_FDNAMES what FileDescriptorName= calls them, separated by colons.
 */
/** A descriptor that came with the process. */
export interface InheritedSocket {
  readonly fd: number;
  /** "unknown" when the unit names none, as sd_listen_fds_with_names(3) has it. */
  readonly name: string;
}

type Environment = Record<string, string | undefined>;

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
/** So many files no process has open; a number beyond is no number. */
const MOST = 65_536;

/**
 * The sockets that were passed to this process. The variables are removed, since a child that inherits them would take
 * descriptors of its own for sockets.
 */
export function listenFds(env: Environment = process.env): readonly InheritedSocket[] {
  const { LISTEN_FDS: count, LISTEN_PID: pid, LISTEN_FDNAMES: names } = env;
  if (count === undefined && pid === undefined) return []; // the usual case, and all that it costs
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  // Meant for another process, a parent of ours: not our sockets.
  if (pid !== String(process.pid) || !/^[1-9]\d{0,5}$/.test(count ?? "") || Number(count) > MOST) return [];
  return describe(Number(count), names);
}

/** `count` descriptors from 3 on. */
export function describe(count: number, names: string | undefined): readonly InheritedSocket[] {
  const list = names?.split(":") ?? [];
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST + i, name: list[i] || "unknown" }));
}

/**
 * The descriptor that `fd:…` names: a number, or the name that systemd's unit gave it. Throws a TypeError that says
 * which names there are.
 */
export function descriptorOf(text: string, sockets: readonly InheritedSocket[]): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const found = sockets.filter(({ name }) => name === text);
  if (found.length === 1) return found[0].fd;
  if (found.length > 1) {
    const numbers = found.map(({ fd }) => `fd:${fd}`).join(", ");
    throw new TypeError(`fd:${text} names ${found.length} sockets (FileDescriptorName=): write ${numbers}`);
  }
  const names = sockets.map(({ name }) => name).join(", ");
  const there = names === "" ? "no sockets were passed (LISTEN_FDS)" : `sockets were passed as ${names}`;
  throw new TypeError(`fd:${text} names no socket: ${there}; write fd: and a number, or a name from the socket unit`);
}
