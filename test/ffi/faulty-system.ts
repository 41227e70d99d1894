/**
 * The syscall seam with faults in it: every call may be interrupted, refused or cut short, as a kernel under pressure
 * does it. Random, but from a seed.
 *
 * An injected EAGAIN, or a read cut short, would be a lie if nothing followed: a kernel that says so tells of the bytes
 * that are still there by an edge. So the descriptor is armed anew (`kernel.ts`), which makes it report them again.
 */
import type { ErrnoName } from "../../ffi/constants.ts";
import type { Poller } from "../../ffi/poller.ts";
import type { LinuxSystem } from "../../ffi/system.ts";
import { UringPoller } from "../../ffi/uring.ts";
import { uringCalls } from "../../ffi/uring-calls.ts";
import { Runtime, replaceRuntime } from "../../src/runtime/turn.ts";
import { type Kernel, kernel, openReadiness, Registrations, registers } from "./kernel.ts";
import type { FaultyRing } from "./ring-faults.ts";

export type Call =
  | "socket"
  | "accept"
  | "receive"
  | "receiveFrom"
  | "send"
  | "sendTo"
  | "connect"
  | "close"
  | "watch"
  | "wait"
  | "getpeername";

/** For each call the errnos it may give, and how often (0 to 1). "short" cuts a count, "late" does the work as well. */
export type Faults = Partial<Record<Call, { readonly rate: number; readonly kinds: readonly (ErrnoName | "short")[] }>>;

export interface Faulty {
  readonly system: Kernel;
  /** How often each fault was injected, as "accept EMFILE". */
  readonly injected: Map<string, number>;
  /** No more faults from here on. */
  stop(): void;
}

/** A random number generator of its own, so that a seed repeats a run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: printed, and taken from SLIPWAY_SEED to repeat one. */
export function seed(name: string): number {
  const value = Number(process.env["SLIPWAY_SEED"] ?? Date.now() % 1_000_000_007);
  console.log(`${name}: SLIPWAY_SEED=${value}`);
  return value;
}

export function faultySystem(random: () => number, faults: Faults): Faulty {
  const real = kernel();
  const { errno } = real.constants;
  const injected = new Map<string, number>();
  const registered = new Registrations(real);
  let active = true;
  const turns: Partial<Record<Call, number>> = {};

  const rearm = (fd: number): void => registered.rearm(fd);
  /** The fault for this call, or undefined for none. */
  const draw = (call: Call): ErrnoName | "short" | undefined => {
    const fault = faults[call];
    if (!active || fault === undefined) return undefined;
    // When is random, which is not; and until each was had, every second call: so that a short run has them all.
    const drawn = turns[call] ?? 0;
    if (random() >= (drawn < fault.kinds.length ? 0.5 : fault.rate)) return undefined;
    turns[call] = drawn + 1;
    const kind = fault.kinds[drawn % fault.kinds.length];
    const name = `${call} ${kind}`;
    injected.set(name, (injected.get(name) ?? 0) + 1);
    return kind;
  };
  /** Runs a call on `fd` that moves up to `length` bytes, or one of its faults. */
  const moving = (call: Call, fd: number, length: number, run: (length: number) => number): number => {
    const kind = draw(call);
    if (kind === undefined) return run(length);
    if (kind === "EAGAIN") rearm(fd);
    if (kind !== "short") return -errno[kind];
    const n = run(1 + Math.floor(random() * Math.min(length, 1000)));
    rearm(fd);
    return n;
  };

  const faulty = {
    ...real,
    socket(domain: number, type: number, protocol: number) {
      const kind = draw("socket");
      return kind === undefined || kind === "short" ? real.socket(domain, type, protocol) : -errno[kind];
    },
    accept(fd: number) {
      return moving("accept", fd, 1, () => real.accept(fd));
    },
    receive: (fd: number, address: number, length: number) =>
      moving("receive", fd, length, (n) => real.receive(fd, address, n)),
    receiveFrom: (fd: number, address: number, length: number, from: Uint8Array, fromLength: Uint32Array) =>
      moving("receiveFrom", fd, length, () => real.receiveFrom(fd, address, length, from, fromLength)),
    send: (fd: number, bytes: Uint8Array) =>
      moving("send", fd, bytes.length, (n) => real.send(fd, bytes.subarray(0, n))),
    sendAt: (fd: number, address: number, length: number) =>
      moving("send", fd, length, (n) => real.sendAt(fd, address, n)),
    sendTo: (fd: number, bytes: Uint8Array, to: Uint8Array) =>
      moving("sendTo", fd, bytes.length, () => real.sendTo(fd, bytes, to)),
    connect(fd: number, address: Uint8Array) {
      const kind = draw("connect");
      // EINTR: the kernel goes on connecting by itself.
      if (kind === "EINTR") return Math.min(real.connect(fd, address), -errno.EINTR);
      return kind === undefined || kind === "short" ? real.connect(fd, address) : -errno[kind];
    },
    close(fd: number) {
      registered.note("close", [fd]);
      const kind = draw("close");
      const result = real.close(fd);
      return kind === undefined || kind === "short" ? result : -errno[kind];
    },
    getpeername(fd: number, address: Uint8Array) {
      const kind = draw("getpeername");
      return kind === undefined || kind === "short" ? real.getpeername(fd, address) : -errno[kind];
    },
  };
  // Not the poller's own wake: without it there is no poller.
  const watch = (call: string, args: readonly unknown[], run: () => number): number => {
    const kind = registers(real, call, args) >= 0 ? draw("watch") : undefined;
    if (kind !== undefined && kind !== "short") return -errno[kind];
    registered.note(call, args);
    return run();
  };
  const wait = (count: number, run: (count: number) => number): number => {
    const kind = draw("wait");
    return kind === undefined || kind === "short" ? run(kind === "short" ? 1 : count) : -errno[kind];
  };
  return {
    system: { ...faulty, ...watching(real, watch, wait) } as Kernel,
    injected,
    stop() {
      active = false;
    },
  };
}

/** Of the two that are driven by readiness, one is this kernel's. */
export type Backend = "epoll" | "uring" | "kqueue";
export const READINESS: Backend = kernel().constants.system === "linux" ? "epoll" : "kqueue";

/** Each kernel's own calls, with what is to be done around them. */
function watching(
  real: Kernel,
  watch: (call: string, args: readonly unknown[], run: () => number) => number,
  wait: (count: number, run: (count: number) => number) => number,
): Partial<Kernel> {
  if ("kqueue" in real) {
    return {
      keventChange: (kq, changes, count) =>
        watch("keventChange", [kq, changes, count], () => real.keventChange(kq, changes, count)),
      keventWait: (kq, events, count, timeoutMs) => wait(count, (n) => real.keventWait(kq, events, n, timeoutMs)),
    };
  }
  return {
    epollControl: (...args) => watch("epollControl", args, () => real.epollControl(...args)),
    epollWait: (epfd, events, count, timeoutMs) => wait(count, (n) => real.epollWait(epfd, events, n, timeoutMs)),
  };
}

/** A poller of this kind on this system; what it takes to set it up and to try it is spared by the ring's faults. */
export function openOn(other: Kernel, backend: Backend, ring?: FaultyRing): Poller {
  if (backend !== "uring") return openReadiness(other);
  const poller = new UringPoller(other as LinuxSystem, ring?.calls ?? uringCalls());
  ring?.arm();
  return poller;
}

/** Puts a runtime on this system in place; the function undoes it. */
export function runOn(other: Kernel, backend: Backend = READINESS, ring?: FaultyRing) {
  const runtime = new Runtime(openOn(other, backend, ring), 1);
  return { runtime, restore: replaceRuntime(runtime) };
}
