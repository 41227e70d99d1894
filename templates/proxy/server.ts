// The edge: `slipway run server.ts --tls-cert cert.pem --tls-key key.pem` speaks TLS and HTTP/2 here, and plain HTTP/1.1 to
// the applications behind it.
import { proxy } from "slipway";
import { upstreamsIn } from "./upstreams.ts";

const pass = proxy(upstreamsIn(Deno.env.get("UPSTREAMS")), {
  // Asked of each application every few seconds: one that is not well is left out.
  // healthPath: "/healthz",
});

export default {
  fetch(request: Request, info: Deno.ServeHandlerInfo): Response | Promise<Response> {
    // What the edge answers itself; everything else goes to the applications.
    if (new URL(request.url).pathname === "/edge") return new Response("the edge is up\n");
    return pass(request, info);
  },
};
