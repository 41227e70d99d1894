/**
 * The syscall seam with faults in it: every call may be interrupted, refused or cut short, as a kernel under pressure
 * does it. Random, but from a seed.
 *
 * An injected EAGAIN, or a read cut short, would be a lie if nothing followed: a kernel that says so tells of the bytes
 * that are still there by an edge. So the descriptor is armed anew (EPOLL_CTL_MOD), which makes epoll(7) report it again.
 */
import type { ErrnoName } from "../../ffi/constants.ts";
import { openEpoll } from "../../ffi/epoll.ts";
import { linuxSystem as system } from "../../ffi/libc-linux.ts";
import type { Poller } from "../../ffi/poller.ts";
import { ReadinessPoller } from "../../ffi/readiness.ts";
import type { LinuxSystem } from "../../ffi/system.ts";
import { UringPoller } from "../../ffi/uring.ts";
import { uringCalls } from "../../ffi/uring-calls.ts";
import { Runtime, replaceRuntime } from "../../src/runtime/turn.ts";
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
  | "epollAdd"
  | "epollWait"
  | "getpeername";

/** For each call the errnos it may give, and how often (0 to 1). "short" cuts a count, "late" does the work as well. */
export type Faults = Partial<Record<Call, { readonly rate: number; readonly kinds: readonly (ErrnoName | "short")[] }>>;

export interface Faulty {
  readonly system: LinuxSystem;
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
  const real = system();
  const { errno } = real.constants;
  const injected = new Map<string, number>();
  const registered = new Map<number, [epfd: number, events: number, low: number, high: number]>();
  let active = true;
  const turns: Partial<Record<Call, number>> = {};

  const rearm = (fd: number): void => {
    const registration = registered.get(fd);
    if (registration === undefined) return;
    const [epfd, events, low, high] = registration;
    real.epollControl(epfd, 3, fd, events, low, high);
  };
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

  const faulty: LinuxSystem = {
    ...real,
    socket(domain, type, protocol) {
      const kind = draw("socket");
      return kind === undefined || kind === "short" ? real.socket(domain, type, protocol) : -errno[kind];
    },
    accept(fd) {
      return moving("accept", fd, 1, () => real.accept(fd));
    },
    receive: (fd, address, length) => moving("receive", fd, length, (n) => real.receive(fd, address, n)),
    receiveFrom: (fd, address, length, from, fromLength) =>
      moving("receiveFrom", fd, length, () => real.receiveFrom(fd, address, length, from, fromLength)),
    send: (fd, bytes) => moving("send", fd, bytes.length, (n) => real.send(fd, bytes.subarray(0, n))),
    sendAt: (fd, address, length) => moving("send", fd, length, (n) => real.sendAt(fd, address, n)),
    sendTo: (fd, bytes, to) => moving("sendTo", fd, bytes.length, () => real.sendTo(fd, bytes, to)),
    connect(fd, address) {
      const kind = draw("connect");
      // EINTR: the kernel goes on connecting by itself.
      if (kind === "EINTR") return Math.min(real.connect(fd, address), -errno.EINTR);
      return kind === undefined || kind === "short" ? real.connect(fd, address) : -errno[kind];
    },
    close(fd) {
      registered.delete(fd);
      const kind = draw("close");
      const result = real.close(fd);
      return kind === undefined || kind === "short" ? result : -errno[kind];
    },
    epollControl(epfd, op, fd, events, low, high) {
      // Not the poller's own eventfd: without it there is no poller.
      if (op === 1 && low !== -1) {
        const kind = draw("epollAdd");
        if (kind !== undefined && kind !== "short") return -errno[kind];
        registered.set(fd, [epfd, events, low, high]);
      }
      return real.epollControl(epfd, op, fd, events, low, high);
    },
    epollWait(epfd, events, count, timeoutMs) {
      const kind = draw("epollWait");
      if (kind === "short") return real.epollWait(epfd, events, 1, timeoutMs);
      return kind === undefined ? real.epollWait(epfd, events, count, timeoutMs) : -errno[kind];
    },
    getpeername(fd, address) {
      const kind = draw("getpeername");
      return kind === undefined || kind === "short" ? real.getpeername(fd, address) : -errno[kind];
    },
  };
  return {
    system: faulty,
    injected,
    stop() {
      active = false;
    },
  };
}

export type Backend = "epoll" | "uring";

/** A poller of this kind on this system; what it takes to set it up and to try it is spared by the ring's faults. */
export function openOn(other: LinuxSystem, backend: Backend, ring?: FaultyRing): Poller {
  if (backend === "epoll") return new ReadinessPoller(other, openEpoll(other));
  const poller = new UringPoller(other, ring?.calls ?? uringCalls());
  ring?.arm();
  return poller;
}

/** Puts a runtime on this system in place; the function undoes it. */
export function runOn(other: LinuxSystem, backend: Backend = "epoll", ring?: FaultyRing) {
  const runtime = new Runtime(openOn(other, backend, ring), 1);
  return { runtime, restore: replaceRuntime(runtime) };
}
