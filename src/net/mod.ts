/** Sockets in Deno's shape: listen, connect, Conn, Listener, datagrams. */
export type { Addr, NetAddr, UnixAddr } from "./address.ts";
export { Conn } from "./conn.ts";
export { TcpConn, UnixConn } from "./conn_kinds.ts";
export type { ConnectOptions, TcpConnectOptions, UnixConnectOptions } from "./connect.ts";
export { connect } from "./connect.ts";
export { DatagramConn } from "./datagram.ts";
export type { ListenOptions, TcpListener, TcpListenOptions, UnixListener, UnixListenOptions } from "./listen.ts";
export { listen, listenFd } from "./listen.ts";
export type { UdpListenOptions, UnixDatagramOptions } from "./listen_datagram.ts";
export { listenDatagram } from "./listen_datagram.ts";
export { Listener } from "./listener.ts";
export type { MulticastV4, MulticastV6 } from "./multicast.ts";
export type { ConnHandler, ServeConnOptions } from "./serve_conn.ts";
export { ConnServer, serveConn } from "./serve_conn.ts";
