/** The clock of a socket that is full: as long as nothing goes out, the client has `writeTimeout` to read. */
import type { Handle } from "../../ffi/poller.ts";
import { type ClockHost, ConnectionClocks } from "../http/connection-clocks.ts";

export class SocketClock extends ConnectionClocks {
  readonly host: ClockHost;
  /** 0: it does not run. */
  deadline = 0;

  constructor(http: ClockHost, handle: Handle, arm: (at: number) => void) {
    super(handle);
    this.host = {
      poller: http.poller,
      limits: http.limits,
      get now() {
        return http.now;
      },
      deadlineAt: () => this.deadline,
      setDeadlineAt: (_, at) => {
        this.deadline = at;
        if (at !== 0) arm(at);
      },
    };
  }

  began(): void {
    this.writingBegan();
  }
  ended(): void {
    this.writingEnded();
  }
  expired(): boolean {
    return this.expiredClock() === "write";
  }
}
