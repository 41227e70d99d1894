/** How connections, listeners and datagram sockets of a program come to be. */
import { Connection, DatagramSocket, Listener } from "./model.ts";
import { plainWrite } from "./plain.ts";
import type { Op } from "./program.ts";
import type { World } from "./world.ts";

function connectionOf(
  world: World,
  number: number,
  family: "tcp" | "unix",
  a: "handle" | "plain",
  b: "handle" | "plain",
): Connection {
  const connection = new Connection(number, family, a, b);
  world.connections.set(number, connection);
  connection.spoiled = world.injections.spoiledAll;
  return connection;
}

export function join(world: World, op: Op & { readonly do: "join" }): void {
  if (world.connections.has(op.conn)) return;
  const { a, b } = connectionOf(world, op.conn, op.family, op.a, op.b);
  const fds = op.family === "unix" ? world.ground.unixPair() : world.ground.tcpPair(op.small, world.acceptedPlain);
  if (op.small && op.family === "unix") for (const fd of fds) world.ground.smallBuffers(fd);
  for (const [end, fd] of [
    [a, fds[0]],
    [b, fds[1]],
  ] as const) {
    // biome-ignore format: one line
    end.state = "open";
    if (!world.open(end, fd)) end.closes(false);
  }
}

export function listen(world: World, number: number): void {
  if (world.listeners.has(number)) return;
  const listener = new Listener(`l${number}`, "handle");
  world.listeners.set(number, listener);
  const { fd, port } = world.ground.listening();
  listener.port = port;
  if (!world.open(listener, fd)) return;
  listener.state = "open";
  listener.receiving = true;
  world.poller.accept(listener.handle);
}

export function dial(world: World, op: Op & { readonly do: "dial" }): void {
  const listener = world.listeners.get(op.listener);
  if (listener === undefined || listener.state !== "open" || world.connections.has(op.conn)) return;
  const connection = connectionOf(world, op.conn, "tcp", "plain", "handle");
  const { a } = connection;
  a.fd = world.ground.tcp();
  a.state = "open";
  world.subject.system.connect(a.fd, world.ground.address(listener.port));
  listener.pending.push({ connection, port: world.ground.localPort(a.fd), spoke: op.spoke });
  if (op.bytes > 0) plainWrite(world, a, op.bytes);
}

export function accepted(world: World, listener: Listener, fd: number): void {
  const { connection, spoke } = listener.hearsAccepted(world.ground.peerPort(fd));
  const { b } = connection;
  b.state = "open";
  if (!world.open(b, fd, spoke)) return b.closes(false);
  if (spoke) world.act("receive", b);
}

export function connect(world: World, op: Op & { readonly do: "connect" }): void {
  const listener = typeof op.to === "number" ? world.listeners.get(op.to) : undefined;
  if (world.connections.has(op.conn) || (typeof op.to === "number" && listener?.state !== "open")) return;
  const connection = connectionOf(world, op.conn, "tcp", "handle", listener === undefined ? "plain" : "handle");
  const { a, b } = connection;
  a.refused = op.to === "refused";
  const fd = world.ground.tcp();
  if (!world.open(a, fd)) return;
  a.state = "connecting";
  const port = op.to === "refused" ? world.ground.silentPort : (listener?.port ?? world.ground.listener.port);
  const result = world.poller.connect(a.handle, world.ground.address(port));
  if (result < 0) {
    if (!a.spoiled && !(a.refused && result === -world.refusal)) world.violated(`${a.name} connect: errno ${-result}`);
    return world.close(a, false);
  }
  if (a.refused) return;
  const from = world.ground.localPort(fd);
  if (listener === undefined) world.dialled.set(from, b);
  else listener.pending.push({ connection, port: from, spoke: false });
}

export function socket(world: World, op: Op & { readonly do: "socket" }): void {
  if (world.sockets.has(op.socket)) return;
  const socket = new DatagramSocket(`u${op.socket}`, op.kind);
  world.sockets.set(op.socket, socket);
  const fd = world.ground.udp();
  socket.address = world.ground.address(world.ground.localPort(fd));
  if (world.open(socket, fd)) socket.state = "open";
}
