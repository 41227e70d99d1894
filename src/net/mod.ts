/** Sockets in Deno's shape: listen, connect, Conn, Listener, datagrams. */
export type { Addr, NetAddr, UnixAddr } from "./address.ts";
export { Conn, TcpConn, UnixConn } from "./conn.ts";
export type { ListenOptions, TcpListener, TcpListenOptions, UnixListener, UnixListenOptions } from "./listener.ts";
export { Listener, listen, listenFd } from "./listener.ts";
