/** What the code cache is made with: a handler that uses what handlers use. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/json")
      return Response.json({ got: await request.json(), type: request.headers.get("content-type") });
    return new Response(`${request.method} ${searchParams.get("q")}`, { headers: { "x-warm": "yes" } });
  },
};
