/** What of the machine matters to a server, each as one line: good, or with a cure. */
import { cpuQuota, threadCount } from "../../parallel/count.ts";
import type { Machine } from "./machine.ts";

export type Status = "ok" | "warning" | "wrong";

export interface Finding {
  readonly name: string;
  readonly status: Status;
  readonly says: string;
  /** What to do; absent where nothing is. */
  readonly cure?: string;
}

const MIB = 1024 ** 2;

/** Each looks at one thing; undefined where this system has none of it. */
export const examinations: readonly ((machine: Machine) => Finding | undefined)[] = [
  descriptors,
  memory,
  processors,
  seccomp,
  clock,
  lowPorts,
  outgoingPorts,
  backlog,
  temporaryFolder,
  user,
  environment,
];

function ok(name: string, says: string): Finding {
  return { name, status: "ok", says };
}

function warning(name: string, says: string, cure: string): Finding {
  return { name, status: "warning", says, cure };
}

/** Node raises the soft limit to the hard one as it starts. */
function descriptors({ read }: Machine): Finding | undefined {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read("/proc/self/limits") ?? "");
  if (match === null) return undefined;
  const most = match[1] === "unlimited" ? Number.POSITIVE_INFINITY : Number(match[1]);
  const says = `${match[1]}: as many connections, less some, at once`;
  if (most >= 4096) return ok("descriptors", says);
  return warning("descriptors", says, "ulimit -n 65536, LimitNOFILE=65536 in a unit, --ulimit nofile=65536 of docker");
}

function memory(machine: Machine): Finding {
  const { totalMemory, heapLimit } = machine;
  const limit = memoryLimit(machine);
  const heap = `V8's heap may have ${mebibytes(heapLimit)}`;
  const says =
    limit < totalMemory
      ? `the cgroup may have ${mebibytes(limit)} of ${mebibytes(totalMemory)}; ${heap}`
      : `${mebibytes(totalMemory)}, no limit by a cgroup; ${heap}`;
  // Buffers, code and stacks lie beside the heap.
  if (heapLimit <= 0.9 * Math.min(limit, totalMemory)) return ok("memory", says);
  const fit = Math.floor((0.75 * Math.min(limit, totalMemory)) / MIB);
  return warning(
    "memory",
    says,
    `NODE_OPTIONS=--max-old-space-size=${fit}, so that V8 collects before the kernel kills`,
  );
}

/** Of this process's group and all above it (cgroup v2), or of v1's hierarchy. */
function memoryLimit({ read }: Machine): number {
  const groups = read("/proc/self/cgroup") ?? "";
  let least = Number.POSITIVE_INFINITY;
  const note = (text: string | undefined) => {
    if (text !== undefined && /^\d+$/.test(text)) least = Math.min(least, Number(text));
  };
  const group = /^0::(\/.*)$/m.exec(groups)?.[1];
  for (let path = group; path !== undefined; path = path === "/" ? undefined : path.replace(/\/[^/]*$/, "") || "/") {
    note(read(`/sys/fs/cgroup${path === "/" ? "" : path}/memory.max`));
  }
  note(read("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  return least;
}

function processors({ read }: Machine): Finding {
  const text = (path: string) => read(path) ?? "";
  const quota = cpuQuota(text);
  const count = threadCount(0, text);
  const says = Number.isFinite(quota) ? `${quota} of the cgroup's quota` : "no quota by a cgroup";
  return ok("processors", `${says}; --parallel auto is ${count}`);
}

function seccomp({ read }: Machine): Finding | undefined {
  const mode = /^Seccomp:\s*(\d)/m.exec(read("/proc/self/status") ?? "")?.[1];
  if (mode === undefined) return undefined;
  return ok("seccomp", mode === "0" ? "no filter" : "a filter is in place");
}

function clock({ read }: Machine): Finding | undefined {
  const source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  if (source === undefined) return undefined;
  // Those that the vDSO reads without a system call (vdso(7)).
  if (/^(?:tsc|kvm-clock|hyperv_clocksource_tsc_page|arch_sys_counter|riscv_clocksource)$/.test(source)) {
    return ok("clock", source);
  }
  return warning(
    "clock",
    `${source}: each look at it is a system call`,
    "clocksource=tsc among the kernel's parameters",
  );
}

function lowPorts({ read, uid }: Machine): Finding | undefined {
  const start = read("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  if (start === undefined) return undefined;
  const capabilities = BigInt(`0x${/^CapEff:\s*([\da-f]+)/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "0"}`);
  const mayBind = (capabilities & (1n << 10n)) !== 0n || uid === 0;
  if (Number(start) <= 80) return ok("ports", `every user may listen on ${start} and above`);
  if (mayBind) return ok("ports", "this process may listen below 1024 (CAP_NET_BIND_SERVICE)");
  const says = `ports below ${start} are refused to this user`;
  const cure = "--port 8080, AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit, or a socket unit";
  return { name: "ports", status: "ok", says, cure };
}

function outgoingPorts({ read }: Machine): Finding | undefined {
  const range = read("/proc/sys/net/ipv4/ip_local_port_range");
  if (range === undefined) return undefined;
  const [from, to] = range.split(/\s+/).map(Number);
  const says = `${from} to ${to}: ${to - from + 1} connections at once to one address`;
  if (to - from >= 10_000) return ok("outgoing", says);
  return warning("outgoing", says, 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"');
}

function backlog({ read }: Machine): Finding | undefined {
  const most = read("/proc/sys/net/core/somaxconn");
  if (most === undefined) return undefined;
  const says = `${most} connections may wait to be accepted`;
  if (Number(most) >= 1024) return ok("backlog", says);
  return warning("backlog", `${says}: a burst of more is refused`, "sysctl -w net.core.somaxconn=4096");
}

function temporaryFolder({ temp, env }: Machine): Finding {
  const { path, writable, freeBytes } = temp;
  const name = env.TMPDIR ? "$TMPDIR" : path;
  if (!writable) {
    return warning(
      "temporary",
      `${name} cannot be written`,
      "TMPDIR=/a/folder that can be; servers need none, Deno.makeTempDir does",
    );
  }
  if (freeBytes >= 64 * MIB) return ok("temporary", `${name} can be written, ${mebibytes(freeBytes)} free`);
  return warning("temporary", `${name} has ${mebibytes(freeBytes)} free`, "make room there, or set TMPDIR");
}

function user({ uid }: Machine): Finding | undefined {
  if (uid === undefined) return undefined;
  if (uid !== 0) return ok("user", "not root");
  return {
    name: "user",
    status: "ok",
    says: "root",
    cure: "a server needs no root: User= in a unit, USER in a Dockerfile",
  };
}

/** Names alone: values may be secrets. */
function environment({ env }: Machine): Finding {
  const names = Object.keys(env).filter(
    (name) =>
      /^(?:SLIPWAY_|UV_)/.test(name) || /^(?:NODE_OPTIONS|NODE_ENV|NO_COLOR|FORCE_COLOR|SSLKEYLOGFILE)$/.test(name),
  );
  if (names.includes("SSLKEYLOGFILE")) {
    return warning(
      "variables",
      `set: ${names.join(", ")}`,
      "unset SSLKEYLOGFILE in production: whoever reads that file reads TLS",
    );
  }
  return ok("variables", names.length === 0 ? "none of ours is set" : `set: ${names.join(", ")}`);
}

function mebibytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return "no limit";
  return bytes >= 10 * 1024 * MIB ? `${Math.round(bytes / 1024 / MIB)} GiB` : `${Math.round(bytes / MIB)} MiB`;
}
