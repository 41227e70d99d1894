/** What the code cache is made with: a handler that uses what handlers use, and answers at once or later. */
export default {
  fetch(request: Request): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/json") return json(request);
    if (pathname === "/plain") return new Response("hello");
    return new Response(`${request.method} ${searchParams.get("q")}`, { headers: { "x-warm": "yes" } });
  },
};

async function json(request: Request): Promise<Response> {
  return Response.json({ got: await request.json(), type: request.headers.get("content-type") });
}
