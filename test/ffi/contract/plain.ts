/** The ends that the test itself reads and writes, by the seam's calls, and judges as it does the poller's. */
import type { Ground } from "./ground.ts";
import type { DatagramSocket, End } from "./model.ts";
import { Violation } from "./model.ts";

interface Plain {
  readonly ground: Ground;
  violated(what: string): void;
}

/** As much of it as fits. */
export function plainWrite(world: Plain, end: End, count: number): void {
  const { system } = world.ground;
  const { EAGAIN, EINTR, ENOTCONN } = system.constants.errno;
  for (let left = count; left > 0; ) {
    const n = system.send(end.fd, end.bytes(left));
    if (n === -EINTR) continue;
    if (n < 0) {
      if (n === -EAGAIN || n === -ENOTCONN) return;
      if (!end.connection.loose && !end.connection.spoiled) world.violated(`${end.name} send: errno ${-n}`);
      end.connection.loose = end.broken = true;
      // It has been told, and so its end need not be told as a failure any more.
      end.peer.reset = false;
      return;
    }
    end.took(n, true);
    left -= n;
  }
}

/** All that is there, its end as well. */
export function drain(world: Plain, end: End): void {
  const { ground } = world;
  const { EAGAIN, EINTR, ENOTCONN, ECONNREFUSED } = ground.system.constants.errno;
  judged(world, () => {
    while (end.receiving && end.state === "open" && !end.failed) {
      const got = ground.read(end.fd);
      if (got === -EINTR) continue;
      if (got === -EAGAIN || got === -ENOTCONN) return;
      if (got instanceof Uint8Array) end.hearsReceived(got, 0, got.length);
      else if (got === 0) end.hearsEnded();
      else end.hearsFailed(-got, ECONNREFUSED);
    }
  });
}

export function drainDatagrams(world: Plain, socket: DatagramSocket): void {
  const { ground } = world;
  const { EAGAIN } = ground.system.constants.errno;
  judged(world, () => {
    while (socket.state === "open") {
      const got = ground.readFrom(socket.fd);
      if (got === -EAGAIN) return;
      if (typeof got === "number") socket.wrong(`receiveFrom: errno ${-got}`);
      socket.hearsDatagram(got.bytes, 0, got.bytes.length, got.from);
    }
  });
}

function judged(world: Plain, judge: () => void): void {
  try {
    judge();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    world.violated(error.message);
  }
}
