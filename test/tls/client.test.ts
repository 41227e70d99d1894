// TLS clients: connectTls and startTls against node:tls and raw sockets; what is refused, and in which words; how both
// sides end; deadlines and close in the middle of a handshake.
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect } from "../../src/net/mod.ts";
import {
  BadResource,
  Busy,
  ConnectionRefused,
  Interrupted,
  InvalidData,
  NotConnected,
  TimedOut,
  UnexpectedEof,
} from "../../src/runtime/errors.ts";
import { type ConnectTlsOptions, connectTls, startTls, type TlsConn } from "../../src/tls/mod.ts";
import { bytes, descriptors, readExactly, rejects, text, until } from "../net/pair.ts";
import { type Issued, issue } from "../support/issued.ts";

const root = issue({ name: "Root of the tests", ca: true });
const middle = issue({ name: "Intermediate of the tests", issuer: root, ca: true });
const leaf = issue({ name: "leaf", issuer: middle, dns: ["localhost"], ips: ["127.0.0.1"] });
const caCerts = [root.cert];

interface Server {
  readonly port: number;
  readonly names: (string | false | null)[];
  readonly errors: string[];
  readonly sockets: tls.TLSSocket[];
  close(): void;
  [Symbol.dispose](): void;
}

/** Says everything back. */
async function server({ cert, key }: Pick<Issued, "cert" | "key">, options: tls.TlsOptions = {}): Promise<Server> {
  const names: Server["names"] = [];
  const errors: string[] = [];
  const sockets: tls.TLSSocket[] = [];
  const made = tls.createServer({ cert, key, allowHalfOpen: true, ...options }, (socket) => {
    sockets.push(socket);
    names.push(socket.servername);
    socket.on("error", (error) => errors.push(error.message));
    socket.on("data", (data) => socket.write(data));
    socket.on("end", () => socket.end());
  });
  made.on("tlsClientError", (error) => errors.push(error.message));
  made.listen(0, "127.0.0.1");
  await once(made, "listening");
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    made.close();
  };
  return { port: (made.address() as net.AddressInfo).port, names, errors, sockets, close, [Symbol.dispose]: close };
}

/** No TLS: what a test wants, byte for byte. */
async function bare(serve: (socket: net.Socket) => void): Promise<{ port: number; [Symbol.dispose](): void }> {
  const sockets: net.Socket[] = [];
  const made = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  made.listen(0, "127.0.0.1");
  await once(made, "listening");
  return {
    port: (made.address() as net.AddressInfo).port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      made.close();
    },
  };
}

const dial = (port: number, options: Partial<ConnectTlsOptions> = {}): Promise<TlsConn> =>
  connectTls({ port, hostname: "localhost", caCerts, ...options });

const works = suite("connectTls");

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  works(`${version}: a chain, SNI, ALPN, bytes both ways, and both ends`, async () => {
    using peer = await server(leaf, { minVersion: version, maxVersion: version, ALPNProtocols: ["b", "a"] });
    using conn = await dial(peer.port, { alpnProtocols: ["a", "b"] });
    const info = await conn.handshake();
    assert.is(info.alpnProtocol, "b");
    assert.is(info.version, version);
    assert.is(info.resumed, false);
    assert.ok(info.handshakeMs > 0);
    assert.is(info.peerCertificate?.subject, "CN=leaf");
    assert.is(await conn.handshake(), info);
    assert.is(await conn.write(bytes("hello")), 5);
    assert.is(text(await readExactly(conn, 5)), "hello");
    await conn.closeWrite();
    // As under Deno, where it is no BrokenPipe.
    assert.is(await conn.write(new Uint8Array(0)), 0);
    await rejects(conn.write(bytes("late")), NotConnected);
    assert.is(await conn.read(new Uint8Array(1)), null);
    assert.is(await conn.read(new Uint8Array(1)), null);
    assert.equal(peer.names, ["localhost"]);
    assert.equal(peer.errors, []);
    assert.equal(conn.remoteAddr, { transport: "tcp", hostname: "127.0.0.1", port: peer.port });
  });
}

works("no ALPN where none is offered, and no SNI for an IP address", async () => {
  using peer = await server(leaf, { ALPNProtocols: ["a"] });
  using conn = await dial(peer.port, { hostname: "127.0.0.1" });
  assert.is((await conn.handshake()).alpnProtocol, null);
  await until(() => peer.names.length > 0, "the server's handshake");
  assert.is(peer.names[0], false);
});

works("the handshake is nobody's to ask for: a write alone, a read alone, megabytes", async () => {
  using peer = await server(leaf);
  using conn = await dial(peer.port);
  const much = new Uint8Array(3_000_000).map((_, i) => i % 251);
  const [sent, got] = await Promise.all([conn.write(much), readExactly(conn, much.length)]);
  assert.is(sent, much.length);
  assert.ok(Buffer.from(got).equals(much));
  const reading = conn.read(new Uint8Array(10));
  await conn.write(bytes("x"));
  assert.is(await reading, 1);
});

works("streams", async () => {
  using peer = await server(leaf);
  const conn = await dial(peer.port);
  const writer = conn.writable.getWriter();
  await writer.write(bytes("through "));
  await writer.write(bytes("streams"));
  await writer.close();
  assert.is(await new Response(conn.readable).text(), "through streams");
});

works("a client's certificate", async () => {
  const me = issue({ name: "me", issuer: root, client: true });
  using peer = await server(leaf, { requestCert: true, rejectUnauthorized: true, ca: root.cert });
  using conn = await dial(peer.port, { cert: me.cert, key: me.key });
  await conn.write(bytes("x"));
  await readExactly(conn, 1);
  assert.is(peer.sockets[0].getPeerCertificate().subject.CN, "me");
});

works("startTls goes on with a connection that has spoken plainly", async () => {
  const context = tls.createSecureContext({ cert: leaf.cert, key: leaf.key });
  using peer = await bare((socket) => {
    socket.once("data", () => {
      socket.write("220 go ahead\r\n");
      const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: context });
      secure.on("error", () => {});
      secure.on("data", (data) => secure.write(data));
    });
  });
  const plain = await connect({ port: peer.port });
  await plain.write(bytes("STARTTLS\r\n"));
  await readExactly(plain, 14);
  using conn = await startTls(plain, { hostname: "localhost", caCerts });
  await rejects(plain.read(new Uint8Array(1)), BadResource);
  await rejects(startTls(plain), BadResource);
  await conn.write(bytes("secret"));
  assert.is(text(await readExactly(conn, 6)), "secret");
  await rejects(startTls(conn), TypeError);
});

works("startTls of a connection that is in use is refused, and changes nothing", async () => {
  using peer = await bare((socket) => void socket.on("data", (data) => socket.write(data)));
  using plain = await connect({ port: peer.port });
  const reading = plain.read(new Uint8Array(10));
  await rejects(startTls(plain), Busy);
  await plain.write(bytes("still"));
  assert.is(await reading, 5);
});

const refused = suite("what is refused");

async function refusal(identity: Pick<Issued, "cert" | "key">, options: Partial<ConnectTlsOptions> = {}) {
  using peer = await server(identity);
  using conn = await dial(peer.port, options);
  const error = await rejects(conn.handshake(), InvalidData);
  assert.ok(!error.message.includes("\n"));
  // Everything else fails for the same reason.
  await rejects(conn.read(new Uint8Array(1)), InvalidData);
  await rejects(conn.write(new Uint8Array(1)), InvalidData);
  await until(() => peer.errors.length > 0, "the server is told by an alert");
  return { message: error.message, alert: peer.errors[0] };
}

refused("self-signed", async () => {
  const own = issue({ name: "on my own", dns: ["localhost"] });
  const { message, alert } = await refusal(own);
  assert.match(message, /^invalid peer certificate: UnknownIssuer: it is self-signed \(on my own\)/);
  assert.match(alert, /alert unknown ca/);
});

refused("a root that nobody trusts", async () => {
  const { message } = await refusal({ cert: leaf.cert + root.cert, key: leaf.key }, { caCerts: [] });
  assert.match(message, /its root \(Root of the tests\) is not one that is trusted/);
});

refused("an intermediate certificate that was left out", async () => {
  const { message } = await refusal({ cert: leaf.alone, key: leaf.key });
  assert.match(message, /its issuer \(Intermediate of the tests\) is unknown: the server left out/);
});

refused("expired, and not yet valid", async () => {
  const old = issue({ name: "old", issuer: root, dns: ["localhost"], from: -30, to: -2 });
  const day = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
  const { message, alert } = await refusal(old);
  assert.ok(message.includes(`old has expired, on ${day}`), message);
  assert.match(alert, /alert certificate expired/);
  const early = issue({ name: "early", issuer: root, dns: ["localhost"], from: 2 });
  assert.match((await refusal(early)).message, /early is not valid yet, not before \d{4}-/);
});

refused("another host's, with the names that it is for", async () => {
  const other = issue({ name: "localhost", issuer: root, dns: ["a.example", "b.example"], ips: ["192.0.2.7"] });
  assert.match(
    (await refusal(other)).message,
    /certificate not valid for name "localhost"; certificate is only valid for DnsName\("a\.example"\), DnsName\("b\.example"\) or IpAddress\(192\.0\.2\.7\): /,
  );
  assert.match((await refusal(other, { hostname: "127.0.0.1" })).message, /not valid for name "127\.0\.0\.1"; /);
});

refused("a Common Name is no host name, and a part of a label no wildcard (RFC 9525)", async () => {
  const bareName = issue({ name: "localhost", issuer: root });
  assert.match(
    (await refusal(bareName)).message,
    /not valid for name "localhost"; certificate is not valid for any names/,
  );
  const partial = issue({ name: "x", issuer: root, dns: ["w*.localhost"] });
  const { message } = await refusal(partial, { hostname: "www.localhost" });
  assert.match(message, /not valid for name "www\.localhost"/);
});

refused("a certificate for clients", async () => {
  const wrong = issue({ name: "a client", issuer: root, dns: ["localhost"], client: true });
  assert.match((await refusal(wrong)).message, /a client may not be used by servers/);
});

refused("wildcards hold for one label, and any name where that is asked for", async () => {
  const wild = issue({ name: "wild", issuer: root, dns: ["*.test.localhost"] });
  using peer = await server(wild);
  using conn = await dial(peer.port, { hostname: "one.test.localhost" });
  await conn.handshake();
  assert.match(
    (await refusal(wild, { hostname: "one.two.test.localhost" })).message,
    /only valid for DnsName\("\*\.test\.localhost"\)/,
  );
  using any = await dial(peer.port, { unsafelyDisableHostnameVerification: true });
  await any.handshake();
});

refused("what the server refuses is said with its alert", async () => {
  using peer = await server(leaf, { ALPNProtocols: ["a"] });
  using conn = await dial(peer.port, { alpnProtocols: ["zz"] });
  const { message } = await rejects(conn.handshake(), InvalidData);
  assert.match(
    message,
    /^TLS handshake failed: received fatal alert: the server refused with "no application protocol": 127\.0\.0\.1:/,
  );
});

refused("a server that wants a certificate says so after the handshake (TLS 1.3)", async () => {
  using peer = await server(leaf, { requestCert: true, rejectUnauthorized: true, ca: root.cert });
  using conn = await dial(peer.port);
  await conn.handshake();
  const error = await conn.read(new Uint8Array(1)).then(String, String);
  // node:tls does not wait until its alert has gone: the reset may be quicker.
  assert.match(error, /refused with "certificate required"|ConnectionReset|UnexpectedEof/);
});

refused("a server that speaks no TLS, with what it says instead", async () => {
  using peer = await bare((socket) => void socket.write("220 mail.example ESMTP\r\n"));
  using conn = await dial(peer.port);
  const { message } = await rejects(conn.handshake(), InvalidData);
  assert.match(message, /the server does not speak TLS there \(it says "220 mail\.example ESMTP"\)/);
  using dumb = await bare((socket) => void socket.write(new Uint8Array([0, 1, 2, 200])));
  using other = await dial(dumb.port);
  await rejects(other.read(new Uint8Array(1)), InvalidData, /does not speak TLS there: /);
});

refused("options that can't be", async () => {
  const attempt = (options: object) => connectTls({ port: 1, hostname: "localhost", ...options } as ConnectTlsOptions);
  await rejects(attempt({ caCerts: ["no PEM"] }), InvalidData, /nothing in PEM format/);
  await rejects(attempt({ cert: leaf.cert }), TypeError, /^If `cert` is specified, `key` must be/);
  await rejects(attempt({ cert: leaf.cert, key: root.key }), InvalidData, /the key does not belong/);
  await rejects(attempt({ alpnProtocols: [""] }), TypeError, /alpnProtocols/);
  await rejects(attempt({ alpnProtocols: "h2" }), TypeError, /alpnProtocols/);
  await rejects(attempt({ hostname: "" }), TypeError, /hostname is empty/);
  await rejects(attempt({}), ConnectionRefused);
});

const ends = suite("how it ends");

ends("in the middle of the handshake, by the server", async () => {
  using peer = await bare((socket) => void socket.once("data", () => socket.end()));
  using conn = await dial(peer.port);
  const [read, write] = [conn.read(new Uint8Array(1)), conn.write(bytes("x"))];
  await rejects(read, UnexpectedEof, /in the middle of the TLS handshake/);
  await rejects(write, UnexpectedEof);
});

ends("in the middle of the handshake, by us", async () => {
  using peer = await bare(() => {});
  const conn = await dial(peer.port);
  const waiting = [conn.handshake(), conn.read(new Uint8Array(1)), conn.write(bytes("x"))];
  conn.close();
  for (const one of waiting) await rejects(one, Interrupted);
  await rejects(conn.handshake(), BadResource);
});

ends("deadlines hold in the handshake, and the connection goes on", async () => {
  let go = (): void => {};
  const context = tls.createSecureContext({ cert: leaf.cert, key: leaf.key });
  using peer = await bare((socket) => {
    go = () => {
      const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: context });
      secure.on("data", (data) => secure.write(data));
    };
  });
  using conn = await dial(peer.port);
  conn.setDeadline(Date.now() + 30);
  const waiting = [conn.read(new Uint8Array(1)), conn.write(bytes("x")), conn.handshake()];
  for (const one of waiting) await rejects(one, TimedOut);
  conn.setDeadline(null);
  go();
  await conn.write(bytes("late"));
  assert.is(text(await readExactly(conn, 4)), "late");
});

ends("the deadline of connectTls is the handshake's as well", async () => {
  using peer = await bare(() => {});
  using conn = await dial(peer.port, { deadline: Date.now() + 60 });
  await rejects(conn.handshake(), TimedOut, /TLS handshake with 127\.0\.0\.1:\d+ timed out/);
});

ends("what is cut off is no end", async () => {
  let raw: net.Socket | undefined;
  const context = tls.createSecureContext({ cert: leaf.cert, key: leaf.key });
  using peer = await bare((socket) => {
    raw = socket;
    const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: context });
    secure.on("error", () => {});
    secure.on("data", (data) => secure.write(data));
  });
  using conn = await dial(peer.port);
  await conn.write(bytes("whole"));
  assert.is(text(await readExactly(conn, 5)), "whole");
  raw?.end();
  await rejects(conn.read(new Uint8Array(1)), UnexpectedEof, /without saying that it ends \(close_notify\)/);
});

ends("close says close_notify, and leaves nothing", async () => {
  using peer = await server(leaf);
  const before = descriptors();
  for (let i = 0; i < 10; i++) {
    const conn = await dial(peer.port);
    await conn.write(bytes("x"));
    await readExactly(conn, 1);
    conn.close();
  }
  await until(() => peer.sockets.length === 10 && peer.sockets.every((socket) => socket.readableEnded), "their ends");
  assert.equal(peer.errors, []);
  peer.close();
  await until(() => descriptors() <= before, "no descriptor is left");
});

for (const one of [works, refused, ends]) one.run();
