/** The HTTP server. */
export type { ServeHandlerInfo } from "./exchange.ts";
export type { ErrorHandler } from "./failure.ts";
export { HttpServer, type ServeOptions, type ServeTcpOptions, type ServeUnixOptions, serve, showUrl } from "./serve.ts";
export type { Handler } from "./service.ts";
