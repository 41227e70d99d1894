/**
 * A server as `slipway run` makes it, its log's format and "access" in its arguments. Its port is on standard output, as the
 * user's own program would say something.
 */
import { install } from "../../../src/fetch/mod.ts";
import { serve } from "../../../src/http/mod.ts";
import { droppedLines, type LogFormat, startLog } from "../../../src/log/mod.ts";
import { logEvent } from "../../../src/runtime/log.ts";

install();
const [format, access] = process.argv.slice(2);
startLog({ format: format as LogFormat });
if (access === "access") (await import("../../../src/log/access.ts")).startAccessLog();

const server = serve({ port: 0, hostname: "127.0.0.1" }, async (request, info) => {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/fails":
      throw new Error(`no such user: ${decodeURIComponent(url.search)}`);
    case "/throws-oddly":
      throw url.search;
    case "/event":
      logEvent("info", "it was asked for", {
        "url.query": decodeURIComponent(url.search),
        count: 1,
        nothing: undefined,
      });
      return new Response("told");
    case "/fill":
      // More than any pipe and the log's own queue hold.
      for (let i = 0; i < 40; i++) {
        for (const kind of "abcdefghijklmnopqrstuvwxyz") logEvent("warn", `${kind.repeat(8000)}`);
      }
      return new Response("filled");
    case "/dropped":
      return Response.json(droppedLines());
    case "/exit":
      for (let i = 0; i < 10; i++) logEvent("info", "one of the last lines", { i });
      process.exit(3);
      break;
    case "/echo":
      return new Response(await request.text());
    case "/id":
      return new Response(`${request.headers.get("x-request-id")} ${info.requestId}`, {
        headers: { "x-request-id": "the handler's" },
      });
  }
  return new Response("hello");
});
console.log(`port ${server.addr.port}`);
process.on("SIGTERM", () => server.shutdown().then(() => process.exit(0)));
