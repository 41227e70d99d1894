/** TLS connections of programs, in Deno's shape. */
export type { ConnectTlsOptions, StartTlsOptions } from "./connect.ts";
export { connectTls, startTls } from "./connect.ts";
export type { TlsHandshakeInfo } from "./conns.ts";
export { TlsConn } from "./conns.ts";
export type { ListenTlsOptions, TlsListener } from "./listen.ts";
export { listenTls } from "./listen.ts";
