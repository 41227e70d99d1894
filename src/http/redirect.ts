/** What stands on the port for http beside a server that speaks TLS: every request is sent there, and nothing else. */
import type { Handler } from "./service.ts";

/** `port`: where https is spoken, as clients see it. 308: the method stays, and its body (RFC 9110, 15.4.9). */
export function redirectToHttps(port: number): Handler {
  return (request) => {
    // Its host is what the parser has let through: a name or an address, and no more.
    const url = new URL(request.url);
    url.protocol = "https:";
    url.port = port === 443 ? "" : String(port);
    return new Response(null, { status: 308, headers: { location: url.href } });
  };
}
