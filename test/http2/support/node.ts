/** Node's own client of HTTP/2, which is nghttp2's: by prior knowledge, or with SLIPWAY_TEST_TLS by ALPN. */
import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect,
  type SecureClientSessionOptions,
} from "node:http2";
import { overTls } from "../../support/tls.ts";

export const scheme: "http" | "https" = overTls ? "https" : "http";

export function session(
  port: number,
  options: ClientSessionOptions | SecureClientSessionOptions = {},
): ClientHttp2Session & Disposable {
  const client = connect(`${scheme}://127.0.0.1:${port}`, options);
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}
