/**
 * Our own light `Request`, `Response` and `Headers`: the standard's behaviour at a fraction of the native cost, put in
 * place by `install()`; and what the server needs to know of them (`src/http`).
 */
export type { LightBody } from "./body.ts";
export { isForeignResponse, toLightResponse } from "./foreign.ts";
export { Headers } from "./headers.ts";
export { fetch, install } from "./install.ts";
export { type IncomingRequest, Request, requestFrom } from "./request.ts";
export {
  isLightResponse,
  markBodyUsed,
  Response,
  recycleBody,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
  responseStatusText,
} from "./response.ts";
