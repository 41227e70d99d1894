/** The HTTP server. */
export type { ServeHandlerInfo } from "./exchange.ts";
export { HttpServer, type ServeOptions, serve, showUrl } from "./serve.ts";
export type { ErrorHandler, Handler } from "./service.ts";
