/**
 * One run of a program: a poller of its own, its sockets and their peers, and the model, which is told of everything that
 * is done. `violation` says what the contract forbids and was seen, or what it promises and did not come.
 */
import type { Handle, Poller } from "../../../ffi/poller.ts";
import type { Kernel } from "../kernel.ts";
import { type Call, type Kind as FaultKind, injecting } from "../single-fault.ts";
import { Ear, type Hearing } from "./ear.ts";
import type { Ground } from "./ground.ts";
import { Injections } from "./injections.ts";
import { accepted, connect, dial, join, listen, socket } from "./making.ts";
import { type Connection, DatagramSocket, End, Listener, type Target } from "./model.ts";
import { drain, drainDatagrams } from "./plain.ts";
import type { Kind, Op, Program } from "./program.ts";
import { finish, send, sendTo } from "./sending.ts";
import { settle } from "./settle.ts";
import type { Subject } from "./subjects.ts";

class Thrown extends Error {}

export class World implements Hearing {
  readonly poller: Poller;
  readonly observer: Poller | undefined;
  readonly ground: Ground;
  readonly subject: Subject;
  readonly program: Program;
  readonly patienceMs: number;
  readonly connections = new Map<number, Connection>();
  readonly listeners = new Map<number, Listener>();
  readonly sockets = new Map<number, DatagramSocket>();
  violation: string | undefined;
  polling = false;
  /** A wake that no poll has used up. */
  woken = false;
  /** A wait has found something, and no poll has looked at it yet. */
  found = false;
  /** Connections to the plain listener, by the port that they come from. */
  readonly dialled = new Map<number, End>();
  readonly #ears = new Map<Target, Ear>();
  readonly injections: Injections;
  readonly #later: (() => void)[] = [];
  #pendingTold = 0;
  #leaving = 0;
  #thrown = 0;
  #closing = false;
  #disposed = false;
  readonly #before: number;
  readonly #release: () => void;

  constructor(subject: Subject, ground: Ground, program: Program, patienceMs: number, observer?: Poller) {
    this.#before = subject.descriptors?.() ?? 0;
    this.subject = subject;
    this.ground = ground;
    this.program = program;
    this.patienceMs = patienceMs;
    this.injections = new Injections(subject.system, () => this.targets);
    const draw = (call: Call, args: readonly unknown[] = []): FaultKind | undefined => this.injections.draw(call, args);
    const faulty = injecting(subject.system, draw, (task) => this.#later.push(task));
    const { system, release } = ground.recycling(faulty);
    this.#release = release;
    this.poller = subject.open(system as Kernel, (call) => draw(call) as never);
    if (program.parked === "watch") this.observer = observer;
    this.observer?.attend(this.poller.descriptor);
    this.poller.onPending = () => void this.#pendingTold++;
    this.poller.onLeaving = (change) => void (this.#leaving += change);
    this.poller.onSinkError = (handle, error) => this.#sinkError(handle, error);
  }

  get refusal(): number {
    return this.poller.constants.errno.ECONNREFUSED;
  }
  get blocks(): boolean {
    return this.subject.blocks;
  }
  get targets(): readonly Target[] {
    const ends = [...this.connections.values()].flatMap(({ a, b }) => [a, b]);
    return [...this.listeners.values(), ...this.sockets.values(), ...ends];
  }

  violated(what: string): void {
    this.violation ??= what;
  }

  /** Runs it to its end, where everything is received, closed, and given back. */
  run(): string | undefined {
    try {
      for (const op of this.program.ops) {
        this.#step(op);
        if (this.violation !== undefined) break;
      }
      if (this.violation === undefined) this.#finish();
    } catch (error) {
      this.violated(`the poller threw: ${error instanceof Error ? error.message : error}`);
    }
    this.#cleanUp();
    return this.violation;
  }

  #step(op: Op): void {
    const { poller } = this;
    const before = { pending: poller.pending, stalled: poller.stalled > 0 };
    this.#pendingTold = 0;
    this.perform(op);
    const turned = (poller.pending && !before.pending) || (poller.stalled > 0 && !before.stalled);
    const looked = op.do === "poll" || op.do === "settle" || op.do === "wait" || op.do === "attend";
    if (turned && !looked && this.#pendingTold === 0)
      this.violated(`pending turned true, and nobody was told (${op.do})`);
    this.#count();
  }

  #count(): void {
    const open = this.targets.filter(
      ({ state, kind, handle }) => handle >= 0 && kind === "handle" && state !== "closed",
    );
    const counted = this.poller.openCount;
    if (counted !== open.length + this.#leaving) {
      this.violated(`openCount is ${counted}, but ${open.length} are open and ${this.#leaving} leaving`);
    }
    if (this.#thrown !== 0) this.violated("what a sink threw was not told");
  }

  perform(op: Op, within?: Target): void {
    const inside = within !== undefined;
    switch (op.do) {
      case "join":
        return join(this, op);
      case "listen":
        return listen(this, op.listener);
      case "dial":
        return dial(this, op);
      case "connect":
        return connect(this, op);
      case "socket":
        return socket(this, op);
      case "send":
        return send(this, op);
      case "sendTo":
        return sendTo(this, op);
      case "fault":
        return this.injections.add(op);
      case "on": {
        const target = this.find(op.to);
        if (target === undefined) return;
        const then = target.within.get(op.heard);
        if (then === undefined) target.within.set(op.heard, [op.run]);
        else then.push(op.run);
        return;
      }
      case "throw":
        if (within === undefined) return;
        this.#thrown++;
        throw new Thrown("of the program");
      case "poll":
        return inside ? undefined : this.look(() => this.poller.poll(0));
      case "settle":
        return inside ? undefined : settle(this);
      case "wait":
        if (inside) return;
        this.found = this.poller.wait(0);
        this.woken = false;
        return;
      case "attend":
        return inside ? undefined : this.#attend();
      case "wake":
        // The poll that runs may use it up: it returns.
        this.woken = !inside;
        return this.poller.wake();
      case "retry":
        return this.poller.retry();
      default: {
        const target = this.find(op.to);
        if (target !== undefined && target.state !== "closed" && target.state !== "none") this.act(op.do, target);
      }
    }
  }

  /** Calls what may deliver; and does what is the kernel's peers' to do. */
  look(poll: () => number): void {
    for (const task of this.#later.splice(0)) task();
    this.polling = true;
    this.woken = this.found = false;
    try {
      poll();
    } finally {
      this.polling = false;
    }
    this.acceptPlain();
  }
  /** Connections whose last bytes must be gone, since all that is plain is being read. */
  get leaving(): number {
    return this.injections.spoiledAll || !this.#closing ? 0 : this.#leaving;
  }
  get hasLater(): boolean {
    return this.#later.length > 0;
  }

  find(name: string): Target | undefined {
    const number = Number(name.slice(1));
    if (name.startsWith("l")) return this.listeners.get(number);
    if (name.startsWith("u")) return this.sockets.get(number);
    const connection = this.connections.get(number);
    return name.startsWith("a") ? connection?.a : connection?.b;
  }

  // ---- made

  /** Gives a descriptor to the poller; closes it, as its owner, when that refuses. */
  open(target: Target, fd: number, spoke = false): boolean {
    target.fd = fd;
    if (target.kind === "plain") return true;
    const ear = new Ear(this, target);
    const handle = this.poller.open(fd, ear, spoke);
    if (handle < 0) {
      if (!target.spoiled) this.violated(`${target.name} could not be opened: errno ${-handle}`);
      this.subject.system.close(fd);
      target.state = "closed";
      return false;
    }
    if (this.targets.some((other) => other !== target && other.handle === handle && other.state !== "closed")) {
      this.violated(`${target.name} got handle ${handle}, which is in use`);
    }
    target.handle = handle;
    this.#ears.set(target, ear);
    return true;
  }

  /** The plain listener's. */
  acceptPlain(): void {
    while (this.dialled.size > 0) {
      const fd = this.subject.system.accept(this.ground.listener.fd);
      if (fd < 0) return;
      this.acceptedPlain(fd);
    }
  }
  readonly acceptedPlain = (fd: number): void => {
    const port = this.ground.peerPort(fd);
    const end = this.dialled.get(port);
    this.dialled.delete(port);
    if (end === undefined) return void this.subject.system.close(fd);
    end.fd = fd;
    end.state = "open";
  };

  accepted(listener: Listener, fd: number): void {
    accepted(this, listener, fd);
  }

  // ---- done

  act(what: "receive" | "pause" | "finish" | "close" | "closeAtOnce" | "reset" | "setSink", target: Target): void {
    const { poller } = this;
    if (what === "close" || what === "closeAtOnce") return this.close(target, what === "closeAtOnce");
    if (what === "setSink" && target.kind === "handle") {
      const old = this.#ears.get(target);
      if (old !== undefined) old.deaf = true;
      const ear = new Ear(this, target);
      this.#ears.set(target, ear);
      return poller.setSink(target.handle, ear);
    }
    if (target.state !== "open") return;
    if (what === "pause") {
      if (target.receiving && target.kind === "handle") target.late = this.subject.afterPause;
      target.receiving = false;
      if (target.kind === "handle") poller.pause(target.handle);
    } else if (what === "receive") {
      if (target instanceof End && (target.ended || target.failed)) return;
      target.receiving = true;
      if (target.kind === "plain") this.#drain(target);
      else if (target instanceof Listener) poller.accept(target.handle);
      else if (target instanceof DatagramSocket) poller.receiveDatagrams(target.handle);
      else poller.receive(target.handle);
    } else if (target instanceof End && what === "finish") finish(this, target);
    else if (target instanceof End && what === "reset") this.close(target, false, true);
  }

  #drain(target: Target): void {
    if (target instanceof DatagramSocket) drainDatagrams(this, target);
    else drain(this, target as End);
  }
  /** What plain ends do by themselves while the others wait. */
  drainAll(): void {
    for (const target of this.targets) if (target.kind === "plain" && target.receiving) this.#drain(target);
  }

  close(target: Target, atOnce: boolean, resets = false): void {
    const { poller, subject } = this;
    const handle = target.handle;
    if (resets) this.ground.linger0(target.kind === "handle" ? poller.fd(handle) : target.fd);
    if (target instanceof End) target.closes(resets);
    target.state = "closed";
    if (target instanceof Listener) {
      for (const { connection } of target.pending.splice(0)) {
        connection.loose = true;
        connection.b.state = "closed";
        connection.b.fin = true;
      }
    }
    if (target.kind === "plain") return void subject.system.close(target.fd);
    poller.close(handle, atOnce);
    if (poller.sink(handle) !== undefined) this.violated(`${target.name} has a sink after it was closed`);
  }

  /** Another descriptor ends a wait. */
  #attend(): void {
    const { poller, subject, ground } = this;
    if (!subject.attend) return;
    const [near, far] = ground.tcpPair(false, this.acceptedPlain);
    // A fault of the program's may have met it.
    if (poller.attend(near) < 0) {
      poller.attend(-1);
      for (const fd of [near, far]) subject.system.close(fd);
      return;
    }
    subject.system.send(far, new Uint8Array(1));
    const end = performance.now() + this.patienceMs;
    while (!poller.attendedReady && performance.now() < end) {
      this.found = poller.wait(this.patienceMs);
      if (!poller.attendedReady) this.look(() => poller.poll(0));
      if (poller.stalled > 0) poller.retry();
    }
    if (!poller.attendedReady) this.violated("what was attended to was readable, and no wait ended with it");
    poller.attend(-1);
    for (const fd of [near, far]) subject.system.close(fd);
    this.woken = false;
  }

  // ---- faults, and the end

  #sinkError(handle: Handle, error: unknown): void {
    if (!(error instanceof Thrown)) return this.violated(`a sink of handle ${handle} failed: ${error}`);
    this.#thrown--;
    const target = this.targets.find((one) => one.handle === handle && one.state !== "closed");
    // As the runtime does.
    if (target !== undefined) this.close(target, false);
  }

  #finish(): void {
    this.injections.stop();
    for (const target of this.targets) target.within.clear();
    // Twice: some are connected or accepted only meanwhile.
    for (let i = 0; i < 2 && this.violation === undefined; i++) {
      for (const target of this.targets) this.act("receive", target);
      settle(this);
    }
    if (this.violation !== undefined) return;
    const closes = (kind: Kind): void => {
      for (const target of this.targets) {
        if (target.kind === kind && target.handle >= 0 === (kind === "handle") && isThere(target))
          this.close(target, false);
      }
    };
    this.#closing = true;
    closes("handle");
    settle(this);
    if (this.violation !== undefined) return;
    closes("plain");
    this.#count();
    this.look(() => this.poller.poll(0));
    this.observer?.attend(-1);
    this.poller.dispose();
    this.#disposed = true;
    this.#release();
    const left = this.subject.descriptors?.() ?? this.#before;
    if (left !== this.#before) this.violated(`${left - this.#before} descriptors are left`);
  }

  /** Whatever state a violation left it in. */
  #cleanUp(): void {
    if (!this.#disposed) {
      this.injections.stop();
      try {
        this.observer?.attend(-1);
        for (const target of this.targets) {
          if (!isThere(target)) continue;
          if (target.kind === "handle") this.poller.close(target.handle);
          else this.subject.system.close(target.fd);
        }
        this.poller.dispose();
      } catch {
        // The violation says enough.
      }
    }
    this.ground.refuseRest();
  }
}

function isThere({ state, fd }: Target): boolean {
  return fd >= 0 && (state === "open" || state === "connecting");
}
