/**
 * What types promise, which `tsc --noEmit` holds them to: nothing here runs. A change that breaks callers' types breaks
 * this file first.
 */
import {
  type Conn,
  connect,
  connectTls,
  errors,
  type fetch,
  go,
  type Handler,
  type Listener,
  listen,
  listenDatagram,
  listenTls,
  type ProxyHandler,
  proxy,
  type ServeHandlerInfo,
  type Server,
  serve,
  serveConn,
  serveDir,
  type TcpConn,
  type TlsConn,
  type UnixConn,
} from "../src/mod.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(right: Same<A, B>): void;
declare const request: Request;
declare const conn: Conn;
declare const tcp: Listener;

export async function promises(): Promise<void> {
  // A port makes TCP, a path Unix; addresses say which without asking.
  const tcpConn = await connect({ port: 1 });
  same<typeof tcpConn, TcpConn>(true);
  same<typeof tcpConn.remoteAddr.port, number>(true);
  const unixConn = await connect({ transport: "unix", path: "x" });
  same<typeof unixConn, UnixConn>(true);
  // @ts-expect-error A Unix address has no port.
  unixConn.remoteAddr.port;
  // @ts-expect-error Neither port nor path.
  await connect({});
  const secure = await connectTls({ hostname: "x", port: 1 });
  same<typeof secure, TlsConn>(true);
  same<Awaited<ReturnType<TlsConn["handshake"]>>["alpnProtocol"], string | null>(true);
  // @ts-expect-error A host is needed to hold the certificate against.
  await connectTls({ port: "1" });

  // Reading gives a count, or null at the end.
  same<Awaited<ReturnType<typeof conn.read>>, number | null>(true);
  same<Awaited<ReturnType<typeof conn.write>>, number>(true);
  using listener = listen({ port: 0 });
  same<typeof listener.addr.port, number>(true);
  for await (const accepted of listener) same<typeof accepted, TcpConn>(true);
  using secureListener = listenTls({ port: 0, cert: "c", key: "k" });
  for await (const accepted of secureListener) same<typeof accepted, TlsConn>(true);
  // @ts-expect-error TLS has no server without a certificate.
  listenTls({ port: 0 });
  const datagrams = listenDatagram({ transport: "udp", port: 0 });
  same<Awaited<ReturnType<typeof datagrams.receive>>[0] extends Uint8Array ? true : false, true>(true);

  // Handlers may answer at once or later, and see who asks.
  const handler: Handler = (_request, info) => new Response(info.remoteAddr.transport);
  await using server = serve({ port: 0 }, handler);
  same<typeof server.addr.port, number>(true);
  await using unix = serve({ path: "x" }, () => new Response());
  same<typeof unix.addr.path, string>(true);
  // @ts-expect-error Not an answer.
  serve({ port: 0 }, () => "text");
  // @ts-expect-error No such option.
  serve({ port: 0, readTimeOut: "1s" }, handler);
  // Times and sizes in words.
  serve({ port: 0, readTimeout: "2m", maxBodyBytes: "1GiB", minRate: "none" }, handler);
  ((info: ServeHandlerInfo) => same<typeof info.completed, Promise<void>>(true)) satisfies unknown;

  const passes = proxy("http://127.0.0.1:1");
  same<typeof passes, ProxyHandler>(true);
  same<Awaited<ReturnType<typeof serveDir>>, Response>(true);
  same<Awaited<ReturnType<typeof fetch>>, Response>(true);
  const task = go("name", async () => 1);
  same<typeof task.finished extends Promise<unknown> ? true : false, true>(true);
  serveConn(tcp, async (each, signal) => {
    same<typeof signal, AbortSignal>(true);
    await each.write(new Uint8Array());
  });
  if (new Error() instanceof errors.TimedOut) return;
  void serveDir(request, { fsRoot: "x" });
}

/** What a file exports: a server of HTTP, or of connections. */
export const servers: Server[] = [
  { fetch: (asked) => new Response(asked.url) },
  { fetch: () => new Response(), port: 1, readTimeout: "1m" },
  {
    async connect(each: Conn) {
      await each.write(new Uint8Array());
    },
  },
  // @ts-expect-error Neither.
  {},
];
