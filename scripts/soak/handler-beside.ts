/** What the soak's server does beside its routes: files, a server that drains again and again, raw echoes, datagrams. */
type Handler = (request: Request) => Promise<Response>;

/** As much of the `Deno` namespace as is used here. */
interface Runtime {
  serve(options: object, handler: Handler): { shutdown(): Promise<void> };
  listen(options: object): AsyncIterable<{ readable: ReadableStream; writable: WritableStream }>;
  listenDatagram(options: object): AsyncIterable<[Uint8Array<ArrayBuffer>, object]> & {
    readonly addr: { readonly port: number };
    send(bytes: Uint8Array, to: object): Promise<number>;
  };
  open(path: string): Promise<{ readonly readable: ReadableStream }>;
}

const hostname = "127.0.0.1";

/** Ports and the file's path come as environment variables; without them there is none of it. */
export function beside(handler: Handler): { file(): Promise<ReadableStream | null>; readonly datagramPort: number } {
  const { Deno } = globalThis as unknown as { Deno: Runtime };
  const { SOAK_DOOR, SOAK_RAW, SOAK_FILE } = process.env;
  let datagramPort = 0;
  if (SOAK_DOOR !== undefined) void revolve(Deno, Number(SOAK_DOOR), handler);
  if (SOAK_RAW !== undefined) void echo(Deno, Number(SOAK_RAW));
  if (SOAK_FILE !== undefined) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    datagramPort = socket.addr.port;
    void (async () => {
      for await (const [bytes, from] of socket) await socket.send(bytes, from).catch(() => {});
    })();
  }
  const file = async (): Promise<ReadableStream | null> =>
    SOAK_FILE === undefined ? null : (await Deno.open(SOAK_FILE)).readable;
  return { file, datagramPort };
}

/** Serves for a second or two, drains, and begins anew at the same address. */
async function revolve(Deno: Runtime, port: number, handler: Handler): Promise<void> {
  for (;;) {
    const server = Deno.serve({ port, hostname, onListen() {} }, handler);
    await new Promise((resolve) => setTimeout(resolve, 700 + Math.random() * 2000).unref());
    await server.shutdown();
  }
}

async function echo(Deno: Runtime, port: number): Promise<void> {
  for await (const conn of Deno.listen({ port, hostname })) conn.readable.pipeTo(conn.writable).catch(() => {});
}
