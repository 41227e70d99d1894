/** What `--exits` starts and ends: a server that can be made to end in every way. */
import { threadId } from "node:worker_threads";

const { Deno } = globalThis as unknown as { Deno: { exit(code: number): never } };

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") {
      setTimeout(() => {
        throw new Error("thrown on purpose");
      });
    }
    if (pathname === "/exit") process.exit(7);
    if (pathname === "/deno-exit") Deno.exit(8);
    if (pathname === "/slow") await new Promise((done) => setTimeout(done, 150));
    const response = new Response(`hello ${pathname}`);
    if (threadId > 0) response.headers.set("x-worker", String(threadId));
    return response;
  },
};
