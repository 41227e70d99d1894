/**
 * A program for Deno that asks what its TLS connections do and prints the answers, a line each: run under Deno and under
 * our `Deno`, the lines must be the same. CERTS is a folder of PEM files, which the test has made.
 */
import process from "node:process";

// biome-ignore lint/suspicious/noExplicitAny: the whole namespace, untyped
const deno = (globalThis as any).Deno;
const folder = process.env["CERTS"];
const pem = (name: string): string => deno.readTextFileSync(`${folder}/${name}.pem`);
const caCerts = [pem("root")];

async function ask(question: string, answer: () => unknown): Promise<void> {
  let line: string;
  try {
    line = JSON.stringify(await answer()) ?? "undefined";
  } catch (error) {
    const isDenos = Object.entries(deno.errors).find(([, Class]) => error instanceof (Class as never))?.[0];
    line = `${(error as Error).name} ${isDenos ?? "-"}`;
  }
  console.log(`${question}: ${line}`);
}

const listener = deno.listenTls({
  port: 0,
  hostname: "127.0.0.1",
  cert: pem("leaf"),
  key: pem("leaf-key"),
  alpnProtocols: ["b", "a"],
});
const { port } = listener.addr;
console.log(JSON.stringify([Object.keys(listener.addr).sort(), listener.addr.transport]));
const some = () => new Uint8Array(10);
/** Both ends; the server's answer to a handshake that fails is dropped. */
const pair = async (options: object = {}) => {
  const accepted = listener.accept();
  const client = await deno.connectTls({ port, hostname: "localhost", caCerts, ...options });
  const server = await accepted;
  const shaken = server.handshake().catch(() => {});
  return { client, server, shaken };
};
const over = ({ client, server }: { client: Disposable; server: Disposable }) => {
  client[Symbol.dispose]();
  server[Symbol.dispose]();
};

{
  const both = await pair({ alpnProtocols: ["a", "b"] });
  const { client, server } = both;
  await ask("alpn", async () => (await client.handshake()).alpnProtocol);
  await ask("again", async () => (await client.handshake()).alpnProtocol);
  await ask("the server's", async () => (await server.handshake()).alpnProtocol);
  await ask("write", () => client.write(new Uint8Array([1, 2, 3])));
  await ask("read", () => server.read(some()));
  await ask("closeWrite", async () => void (await client.closeWrite()));
  await ask("read at the end", () => server.read(some()));
  await ask("the other way still goes", () => server.write(some()));
  await ask("and comes", () => client.read(some()));
  over(both);
  await ask("read after close", () => client.read(some()));
  await ask("handshake after close", () => client.handshake());
}
{
  const both = await pair();
  await ask("no alpn", async () => (await both.client.handshake()).alpnProtocol);
  over(both);
}
for (const [name, options] of [
  ["nobody's root", { caCerts: [] }],
  ["another host", { hostname: "127.0.0.1" }],
  ["any host", { hostname: "127.0.0.1", unsafelyDisableHostnameVerification: true }],
  ["no common protocol", { alpnProtocols: ["z"] }],
] as const) {
  const both = await pair(options);
  await ask(`${name}: handshake`, async () => (await both.client.handshake()).alpnProtocol);
  await both.shaken;
  await ask(`${name}: write`, () => both.client.write(new Uint8Array(1)));
  over(both);
}
for (const [name, options] of [
  ["cert without key", { cert: pem("leaf") }],
  ["key without cert", { key: pem("leaf-key") }],
  ["nobody listens", { port: 1 }],
] as const) {
  await ask(name, () => deno.connectTls({ port, hostname: "localhost", caCerts, ...options }));
}
await ask("listenTls without a key", () => deno.listenTls({ port: 0, cert: pem("leaf") }));
await ask("listenTls with no key in it", () => deno.listenTls({ port: 0, cert: pem("leaf"), key: "x" }));
{
  const plainListener = deno.listen({ port: 0, hostname: "127.0.0.1" });
  const plain = await deno.connect({ port });
  const server = await listener.accept();
  void server.handshake().catch(() => {});
  const secure = await deno.startTls(plain, { hostname: "localhost", caCerts });
  await ask("startTls", async () => (await secure.handshake()).alpnProtocol);
  await ask("the plain one then", () => plain.read(some()));
  await ask("bytes", () => secure.write(new Uint8Array(5)));
  await ask("come", () => server.read(some()));
  over({ client: secure, server });
  plainListener.close();
}
process.exit(0);
