/**
 * Our own light `Request`, `Response` and `Headers`: the standard's behaviour at a fraction of the native cost, put in
 * place by `install()`; and what the server needs to know of them (`src/http`).
 */
export type { LightBody, NetworkBody } from "./body.ts";
export { isForeignResponse, toLightResponse } from "./foreign.ts";
export { HeadFields } from "./head.ts";
export { Headers } from "./headers.ts";
export { fetch, fetchByHost, install, type Network } from "./install.ts";
export {
  type IncomingRequest,
  incomingOf,
  type NetworkCall,
  Request,
  requestFrom,
  takeBody,
  unchangedIncomingOf,
} from "./request.ts";
export {
  addField,
  encodedResponse,
  type IncomingResponse,
  isLightResponse,
  markBodyUsed,
  passedOn,
  Response,
  recycleBody,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseFrom,
  responseStatus,
  responseStatusText,
  switchingProtocols,
} from "./response.ts";
export { takeUser } from "./user.ts";
