/** Why a WebSocket ends (RFC 6455, 7.4, and the registry of its codes). */

export const NORMAL = 1000;
export const GOING_AWAY = 1001;
export const PROTOCOL_ERROR = 1002;
/** Never on the wire: a close frame without a code, and an end without a close frame (RFC 6455, 7.4.1). */
export const NO_STATUS = 1005;
export const ABNORMAL = 1006;
export const INVALID_PAYLOAD = 1007;
export const POLICY = 1008;
export const TOO_BIG = 1009;
export const INTERNAL_ERROR = 1011;

/** Whether a close frame may carry the code: one of the registry's, or of those that are libraries' and programs' own. */
export function mayBeSent(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  if (code < 1000 || code > 1014) return false;
  return code !== 1004 && code !== NO_STATUS && code !== ABNORMAL;
}
