/** The faults of a program: which call meets which, and what is spoiled by it. */
import type { ErrnoName } from "../../../ffi/constants.ts";
import { type Kernel, registers as registered } from "../kernel.ts";
import { matrix } from "../matrix.ts";
import type { Call, Kind as FaultKind } from "../single-fault.ts";
import { End, Listener, type Target } from "./model.ts";
import type { Op } from "./program.ts";

interface Fault {
  readonly call: Call;
  readonly kind: FaultKind;
  after: number;
  times: number;
}

export class Injections {
  /** One was not any connection's, as far as we know: nothing is due any more. */
  spoiledAll = false;
  readonly #faults: Fault[] = [];
  readonly #targets: () => readonly Target[];
  readonly #on: Kernel;

  constructor(on: Kernel, targets: () => readonly Target[]) {
    this.#on = on;
    this.#targets = targets;
  }

  add({ call, kind, after, times }: Op & { readonly do: "fault" }): void {
    this.#faults.push({ call, kind, after, times });
  }
  /** No more of them. */
  stop(): void {
    this.#faults.length = 0;
  }

  /** What this call fails with, if it does. */
  draw(call: Call, args: readonly unknown[]): FaultKind | undefined {
    const registers = call === "epollControl" || call === "keventChange";
    const fd = registers ? registered(this.#on, call, args) : args[0];
    const met = this.#targets().filter((target) => target.fd === fd);
    // Only of a handle's descriptor: without its own there is no poller.
    if (registers && ((fd as number) < 0 || !met.some(({ state }) => state !== "closed"))) return undefined;
    const fault = this.#faults.find((one) => one.call === call);
    if (fault === undefined || fault.after-- > 0) return undefined;
    if (--fault.times === 0) this.#faults.splice(this.#faults.indexOf(fault), 1);
    const { breaks = [], refuses = [] } = matrix[call];
    if (breaks.includes(fault.kind) || refuses.includes(fault.kind)) {
      // What is asked of a ring does not say of whom.
      for (const target of fd === undefined ? this.#targets() : met) spoil(target);
      if (fd === undefined) this.spoiledAll = true;
    }
    if (call === "accept") {
      const errno = this.#on.constants.errno[fault.kind as ErrnoName];
      for (const target of met) if (target instanceof Listener) target.injected.add(errno);
    }
    return fault.kind;
  }
}

function spoil(target: Target): void {
  target.spoiled = true;
  if (target instanceof End) target.connection.spoiled = true;
}
