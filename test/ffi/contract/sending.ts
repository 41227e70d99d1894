/** Everything that is sent, and what may come of it at once. */
import { SENT } from "../../../ffi/poller.ts";
import { type DatagramSocket, type End, MOST, pattern } from "./model.ts";
import { plainWrite } from "./plain.ts";
import type { Op } from "./program.ts";
import type { World } from "./world.ts";

export function send(world: World, { to, way, bytes: count }: Op & { readonly do: "send" }): void {
  const end = world.find(to) as End | undefined;
  if (end === undefined || end.state !== "open" || end.fin || end.broken || end.written + count > MOST) return;
  const { connection, peer } = end;
  if (peer.state === "closed") connection.loose = true;
  if (end.kind === "plain") return plainWrite(world, end, count);
  const { poller } = world;
  const bytes = end.bytes(way === "sendOutgoing" ? Math.min(count, poller.outgoing.length) : count);
  let result: number;
  if (way === "send") result = poller.send(end.handle, bytes, 0, bytes.length);
  else if (way === "sendOutgoing") {
    poller.outgoing.set(bytes);
    result = poller.sendOutgoing(end.handle, 0, bytes.length);
  } else if (bytes.length === 0) return;
  else if (way === "sendSome") result = poller.sendSome(end.handle, bytes, 0, bytes.length);
  else result = poller.sendFile(end.handle, world.ground.file, end.salt + end.written, bytes.length);
  const tried = way === "sendSome" || way === "sendFile";
  if (result < 0) {
    if (tried && result === -poller.constants.errno.EAGAIN) end.owed = true;
    // Not every file can be sent from so: no harm done.
    else if (way === "sendFile" && result === -poller.constants.errno.EINVAL) return;
    else {
      if (!connection.loose && !connection.spoiled) world.violated(`${end.name} ${way}: errno ${-result}`);
      connection.loose = true;
      end.broken = true;
      // A part of it may have gone before.
      end.took(bytes.length, false);
      // It has been told, and so its end need not be told as a failure any more.
      peer.reset = false;
    }
  } else if (tried) {
    if (result > bytes.length) world.violated(`${end.name} ${way} took ${result} bytes of ${bytes.length}`);
    end.took(result, true);
  } else {
    end.took(bytes.length, result === SENT);
    if (result !== SENT) end.owed = true;
  }
}

export function sendTo(world: World, { from, to, bytes: count }: Op & { readonly do: "sendTo" }): void {
  const source = world.find(from) as DatagramSocket | undefined;
  const target = world.find(to) as DatagramSocket | undefined;
  if (source?.state !== "open" || target?.state !== "open" || target.waiting + count > 20_000) return;
  if (target.inbox.length > 15) return;
  const at = (target.inbox.length * 7919 + count * 31 + source.handle * 101) % 100_000;
  const bytes = pattern.subarray(at, at + count);
  const result =
    source.kind === "handle"
      ? world.poller.sendTo(source.handle, bytes, target.address)
      : world.subject.system.sendTo(source.fd, bytes, target.address);
  if (result === count) target.inbox.push({ from: source, bytes });
  else if (result === -world.poller.constants.errno.EAGAIN) source.owed = source.kind === "handle";
  else if (!source.spoiled) world.violated(`${source.name} sendTo of ${count} bytes: ${result}`);
}

/** FIN. */
export function finish(world: World, end: End): void {
  // After what was kept: whoever shuts down waits for `sent` first.
  if (end.fin || end.owed) return;
  const { poller, subject } = world;
  const loose = end.connection.loose || end.connection.spoiled;
  const result =
    end.kind === "handle"
      ? poller.shutdown(end.handle)
      : subject.system.shutdown(end.fd, subject.system.constants.SHUT_WR);
  if (result < 0 && !loose) world.violated(`${end.name} shutdown: errno ${-result}`);
  end.fin = true;
}
