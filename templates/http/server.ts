// The server: the page, and the routes of routes.ts. `slipway run server.ts` serves it.
import page from "./page.html" with { type: "text" };
import { route } from "./routes.ts";

export default {
  fetch(request: Request): Response | Promise<Response> {
    if (new URL(request.url).pathname === "/") {
      return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
    }
    return route(request);
  },

  // What a handler throws ends here; the client learns no details.
  onError(error: unknown): Response {
    console.error(error);
    return Response.json({ error: "internal error" }, { status: 500 });
  },
};
