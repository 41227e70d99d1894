/**
 * The pollers that the contract is tested on, each a few lines: how to open it on a given seam, what the machine can do,
 * and which faults it may be given. A new backend is one entry here.
 */
import { readdirSync, readlinkSync } from "node:fs";
import type { Poller } from "../../../ffi/poller.ts";
import type { LinuxSystem } from "../../../ffi/system.ts";
import { UringPoller } from "../../../ffi/uring.ts";
import { uringCalls } from "../../../ffi/uring-calls.ts";
import { type Kernel, kernel, onLinux, openReadiness } from "../kernel.ts";
import { matrix } from "../matrix.ts";
import { faultyRing, type RingCall, type RingKind } from "../ring-faults.ts";
import type { Call } from "../single-fault.ts";
import type { Possible } from "./generate.ts";

export interface Subject extends Possible {
  readonly name: string;
  /** The seam, without faults. */
  readonly system: Kernel;
  /**
   * A poller on `faulty`, which is `system` with faults and memory of the test's. `draw`: asked for faults of what does not
   * go through the seam; the backend decides when.
   */
  open(faulty: Kernel, draw: (call: RingCall) => RingKind | undefined): Poller;
  /** Bytes, datagrams and connections that may come after a pause: those in flight, on completion kernels. */
  readonly afterPause: number;
  /** SENT may turn out to have been SENDING (`Sink.blocked`). */
  readonly blocks: boolean;
  /** How many sockets, pollers and the like this process has open; undefined where that can't be counted. */
  descriptors?(): number;
}

/** The calls of the seam that are worth it, with what the matrix of faults says of them. */
const SEAM: readonly Call[] = ["accept", "receiveFrom", "send", "sendTo", "sendFile", "connect", "close", "getsockopt"]; // biome-ignore format: one line

function faults(...calls: readonly Call[]): Possible["faults"] {
  return [...SEAM, ...calls].map((call) => {
    const { passes = [], breaks = [], refuses = [] } = matrix[call];
    // A datagram that is refused is the caller's to see: not the contract's matter.
    return { call, passes, breaks: call === "sendTo" ? breaks : [...breaks, ...refuses] };
  });
}

/** Those that a poller makes: not the ones that Node opens meanwhile. */
function linuxDescriptors(): number {
  let count = 0;
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (/^socket:|eventfd|eventpoll|io_uring/.test(readlinkSync(`/proc/self/fd/${fd}`))) count++;
    } catch {
      // The descriptor that read the directory is gone.
    }
  }
  return count;
}

const EVENTFD: readonly Call[] = ["eventfdRead", "eventfdWrite", "epollControl"];

function readiness(name: string, ...calls: readonly Call[]): Subject {
  return {
    name,
    system: kernel(),
    open: openReadiness,
    unix: true,
    sendFile: true,
    attend: true,
    afterPause: 0,
    blocks: false,
    faults: faults("receive", "sendAt", ...calls),
    descriptors: linuxDescriptors,
  };
}

function uring(): Subject {
  return {
    name: "uring",
    system: kernel(),
    open(faulty, draw) {
      const ring = faultyRing(draw);
      const poller = new UringPoller(faulty as LinuxSystem, ring.calls);
      ring.arm();
      return poller;
    },
    unix: true,
    sendFile: true,
    attend: true,
    // It keeps what comes then.
    afterPause: 0,
    blocks: true,
    faults: faults("receive", ...EVENTFD, "ringReceive", "ringSend", "ringReady", "ringHangup", "enter"),
    descriptors: linuxDescriptors,
  };
}

/** Of the system that this process has, or plays (test/support/kqueue). */
const subjects: Readonly<Record<string, () => Subject>> = onLinux
  ? { epoll: () => readiness("epoll", "epollWait", ...EVENTFD), uring }
  : { kqueue: () => readiness("kqueue", "keventWait", "keventChange") };

export const subjectNames: readonly string[] = Object.keys(subjects);

/** Throws one sentence where there is none of that name. */
export function subject(name: string): Subject {
  const make = subjects[name];
  if (make === undefined) throw new Error(`no poller "${name}" to test; there are: ${subjectNames.join(", ")}`);
  return make();
}

/** Why it does not work here, "" when it does. */
export function refusedHere(name: string): string {
  try {
    const one = subject(name);
    if (name === "uring") new UringPoller(one.system as LinuxSystem, uringCalls()).dispose();
    else one.open(one.system, () => undefined).dispose();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
