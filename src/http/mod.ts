/** The HTTP server. */

export type { DrainResult } from "./drain.ts";
export type { ServeHandlerInfo } from "./exchange.ts";
export type { ErrorHandler } from "./failure.ts";
export type { LimitsHook, RequestLimitOptions } from "./request-limits.ts";
export {
  HttpServer,
  httpsContext,
  type ServeOptions,
  type ServeTcpOptions,
  type ServeUnixOptions,
  serve,
  showUrl,
} from "./serve.ts";
export type { Handler } from "./service.ts";
