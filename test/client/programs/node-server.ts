// A server of node:http, which we did not write: echoes, redirects, compresses. Prints its port.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";

const TEXT = "compressed text, ".repeat(1000);
const CODED: Record<string, Buffer> = {
  gzip: gzipSync(TEXT),
  "x-gzip": gzipSync(TEXT),
  br: brotliCompressSync(TEXT),
  zstd: zstdCompressSync(TEXT),
  deflate: deflateSync(TEXT),
  "gzip, br": brotliCompressSync(gzipSync(TEXT)),
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://a");
  const [, verb, argument = ""] = url.pathname.split("/");
  switch (verb) {
    case "status":
      response.writeHead(Number(argument), url.searchParams.get("reason") ?? undefined, { "x-a": "1" });
      return void response.end(request.method === "HEAD" ? undefined : (url.searchParams.get("body") ?? undefined));
    case "redirect": {
      const to = url.searchParams.get("to") ?? "/echo";
      response.writeHead(Number(argument), { location: to, "content-type": "text/plain" });
      return void response.end("moved");
    }
    case "loop":
      response.writeHead(302, { location: "/loop" });
      return void response.end();
    case "coded": {
      const coding = decodeURIComponent(argument);
      response.writeHead(200, { "content-encoding": coding });
      const bytes = coding === "raw" ? deflateRawSync(TEXT) : CODED[coding];
      for (let at = 0; at < bytes.length; at += 50) response.write(bytes.subarray(at, at + 50));
      return void response.end();
    }
    case "raw-deflate":
      response.writeHead(200, { "content-encoding": "deflate" });
      return void response.end(deflateRawSync(TEXT));
    case "unknown-coding":
      response.writeHead(200, { "content-encoding": "pack200" });
      return void response.end("as it is");
    case "chunks":
      response.writeHead(200, { trailer: "x-end" });
      for (let i = 0; i < Number(argument); i++) {
        response.write(`chunk ${i};`);
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      response.addTrailers({ "x-end": "yes" });
      return void response.end();
    case "interim":
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.writeProcessing();
      return void response.end("after interim responses");
    case "cookies":
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.setHeader("x-many", ["1", "2"]);
      return void response.end();
    case "bytes": {
      // As many bytes as asked for, as fast as they are read.
      const piece = Buffer.alloc(65_536, "x");
      response.writeHead(200, url.searchParams.has("length") ? { "content-length": argument } : {});
      for (let left = Number(argument); left > 0; left -= piece.length) {
        if (!response.write(left < piece.length ? piece.subarray(0, left) : piece) && !response.destroyed) {
          await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
        }
      }
      return void response.end();
    }
    case "count": {
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      return void response.end(String(bytes));
    }
    case "connections":
      return void server.getConnections((_error, count) => response.end(String(count)));
    case "never":
      return;
    case "early":
      response.writeHead(413, { connection: "close" });
      return void response.end("too much");
    case "close":
      response.setHeader("connection", "close");
      return void response.end("closing");
    default: {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, headers } = request;
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ method, url: request.url, headers, body: Buffer.concat(chunks).toString("latin1") }),
      );
    }
  }
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  console.log(`port ${(server.address() as { port: number }).port}`),
);
process.on("disconnect", () => process.exit());
