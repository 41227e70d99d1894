/** What only trying tells: the addon, the poller, OpenSSL. */
import { release } from "node:os";
import { getSystemErrorName } from "node:util";
import { version } from "../version.ts";
import type { Finding } from "./findings.ts";
import type { Machine } from "./machine.ts";

export async function tried(machine: Machine): Promise<Finding[]> {
  return [versions(), system(machine), await addon(), await poller(machine), ...(await ring(machine)), await tls()];
}

function versions(): Finding {
  const { node, v8, openssl } = process.versions;
  const kind = process.getBuiltinModule("node:sea").isSea() ? "the executable" : "a package or the sources";
  return { name: "slipway", status: "ok", says: `${version} (${kind}), node ${node}, v8 ${v8}, openssl ${openssl}` };
}

function system({ read, platform }: Machine): Finding {
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(read("/etc/os-release") ?? "")?.[1];
  const container =
    read("/.dockerenv") !== undefined || read("/run/.containerenv") !== undefined ? ", in a container" : "";
  const says = `${platform}-${process.arch}, kernel ${release()}${name === undefined ? "" : `, ${name}`}${container}`;
  if (platform === "linux") return { name: "system", status: "ok", says };
  return {
    name: "system",
    status: "wrong",
    says,
    cure: "servers run on Linux so far: WSL, a container or a virtual machine",
  };
}

async function addon(): Promise<Finding> {
  try {
    const { koffi, koffiPath } = await import("../../../ffi/koffi.ts");
    const inMemory =
      koffiPath === undefined
        ? "from node_modules"
        : /^\/proc\//.test(koffiPath)
          ? "from memory"
          : "from a cache folder";
    return { name: "addon", status: "ok", says: `koffi ${koffi.version} loaded ${inMemory}` };
  } catch (error) {
    return {
      name: "addon",
      status: "wrong",
      says: oneLine(error),
      cure: "glibc 2.28 or later, libstdc++ and libatomic are needed; npm install brings the addon",
    };
  }
}

async function poller({ env }: Machine): Promise<Finding> {
  const name = "poller";
  try {
    const { openPoller } = await import("../../../ffi/poller.ts");
    const { poller, refused } = openPoller();
    const chosen = poller.name;
    poller.dispose();
    if (env.SLIPWAY_POLLER) return { name, status: "ok", says: `${chosen}, because SLIPWAY_POLLER asks for it` };
    if (refused.length === 0) {
      return { name, status: "ok", says: `${chosen}, the best that works here: it was tried with a pair of sockets` };
    }
    return {
      name,
      status: "warning",
      says: `${chosen}, since better ones were refused (${refused.join("; ")})`,
      cure: "it works, at some more CPU a request; io_uring wants Linux 6.1, kernel.io_uring_disabled=0 and a seccomp profile that lets io_uring_setup, io_uring_enter and io_uring_register through",
    };
  } catch (error) {
    return { name, status: "wrong", says: oneLine(error), cure: "unset SLIPWAY_POLLER, or mend what is named" };
  }
}

/** What the kernel itself says, whichever poller is chosen. */
async function ring({ platform, read }: Machine): Promise<Finding[]> {
  if (platform !== "linux") return [];
  const name = "io_uring";
  try {
    const [{ uringCalls }, { system }] = await Promise.all([
      import("../../../ffi/uring-calls.ts"),
      import("../../../ffi/libc.ts"),
    ]);
    const params = new Uint32Array(30);
    const fd = uringCalls().setup(2, params);
    const disabled = read("/proc/sys/kernel/io_uring_disabled") ?? "not there";
    const setting = `kernel.io_uring_disabled is ${disabled}`;
    if (fd < 0) {
      const error = getSystemErrorName(fd);
      return [{ name, status: "warning", says: `io_uring_setup(2) is refused: ${error} (errno ${-fd}), ${setting}` }];
    }
    system().close(fd);
    return [{ name, status: "ok", says: `there, features 0x${params[5].toString(16)}, ${setting}` }];
  } catch (error) {
    return [{ name, status: "warning", says: oneLine(error) }];
  }
}

async function tls(): Promise<Finding> {
  try {
    const { openSsl } = await import("../../../ffi/openssl.ts");
    openSsl();
    return { name: "tls", status: "ok", says: `OpenSSL ${process.versions.openssl}, of this very executable` };
  } catch (error) {
    return { name: "tls", status: "warning", says: oneLine(error), cure: "let a proxy in front speak TLS" };
  }
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
}
