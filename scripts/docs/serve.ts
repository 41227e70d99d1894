/** The pages on a port of this machine, by our own server and with its `serveDir`, as the template `static` does. */
import { serve, serveDir } from "../../src/mod.ts";

export function serveDocs(folder: string): void {
  const url = (port: number) => console.log(`http://127.0.0.1:${port}/ (Ctrl-C ends it)`);
  serve({ port: 8008, hostname: "127.0.0.1", onListen: ({ port }) => url(port) }, (request) =>
    serveDir(request, { fsRoot: folder }),
  );
}
