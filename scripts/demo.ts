/**
 * The demo that `npm start` serves: a page, JSON, an echo and a stream, on http://localhost:8000.
 */
import { type } from "node:os";

const started = Date.now();
let served = 0;

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Slipway</title>
<style>body { font: 1.1rem/1.6 system-ui; max-width: 42rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Slipway is running</h1>
<p>This page came over Slipway's own poller and HTTP parser, from <code>scripts/demo.ts</code>.</p>
<ul>
<li><a href="/json">/json</a>: what the server knows of your request</li>
<li><a href="/stream">/stream</a>: ten lines, one at a time</li>
<li><code>curl localhost:8000/echo -d hello</code>: your body, streamed back</li>
</ul>
<p>Next: <code>npm run build</code>, then <code>dist/slipway new shop</code>.</p>
</html>
`;

export default {
  fetch(request: Request, info: { remoteAddr: unknown }): Response {
    served += 1;
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/":
        return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "/json":
        return Response.json({
          method: request.method,
          url: request.url,
          headers: Object.fromEntries(request.headers),
          from: info.remoteAddr,
          served,
          upSeconds: Math.round((Date.now() - started) / 1000),
          system: type(),
        });
      case "/echo":
        return new Response(request.body);
      case "/stream":
        return new Response(tenLines(), { headers: { "content-type": "text/plain; charset=utf-8" } });
      default:
        return new Response(`There is no ${pathname} here.\n`, { status: 404 });
    }
  },
};

function tenLines(): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let line = 0;
  return new ReadableStream({
    async pull(controller) {
      if (line > 0) await new Promise((resolve) => setTimeout(resolve, 300));
      line += 1;
      controller.enqueue(encoder.encode(`line ${line} of 10\n`));
      if (line === 10) controller.close();
    },
  });
}
