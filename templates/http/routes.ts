// The routes, without a server around them: that is how server.test.ts calls them.

/** Answers a request. */
export async function route(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /api/time":
      return Response.json({ now: new Date().toISOString() });
    case "POST /api/echo":
      return echo(request);
    case "GET /api/count":
      return count(5);
    default:
      return Response.json({ error: `no route for ${request.method} ${pathname}` }, { status: 404 });
  }
}

/** Sends back the JSON that came. */
async function echo(request: Request): Promise<Response> {
  try {
    return Response.json({ you: await request.json() });
  } catch {
    return Response.json({ error: "the body is not JSON" }, { status: 400 });
  }
}

/** A streamed response: a line every 200 ms, made only as fast as the client reads. */
function count(lines: number): Response {
  let line = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (line > 0) await new Promise((resolve) => setTimeout(resolve, 200));
      line += 1;
      controller.enqueue(new TextEncoder().encode(`${line}\n`));
      if (line === lines) controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
}
