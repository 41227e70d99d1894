// time limit: 60 s
// Raw handlers with --tls-cert, on one thread and on two: what they read and write is what was said within TLS.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect as connectBare } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, start, temporaryFolder } from "../support/process.ts";
import { certFile, identity, keyFile } from "../support/tls.ts";

test.after(endProcesses);
const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const program = join(folder, "echo.ts");
writeFileSync(
  program,
  `export default {
  async connect(conn) {
    const { alpnProtocol, version } = await conn.handshake();
    await conn.write(new TextEncoder().encode(alpnProtocol + " " + version + "\\n"));
    const buffer = new Uint8Array(1024);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) await conn.write(buffer.subarray(0, n));
    await conn.write(new TextEncoder().encode(" and the end"));
  },
};
`,
);

for (const threads of ["1", "2"]) {
  test(`${threads} threads`, async () => {
    const tls = ["--tls-cert", certFile, "--tls-key", keyFile, "--parallel", threads, "--read-header-timeout", "500ms"];
    const server = start([...fromSource, "run", program, "--port", "0", ...tls]);
    const [, text] = await server.saw(/^Listening on tls:\/\/\S*?:(\d+)/m);
    const port = Number(text);
    const ask = async (word: string): Promise<string> => {
      const socket = connect({
        port,
        host: "127.0.0.1",
        servername: "localhost",
        ca: identity.cert,
        ALPNProtocols: ["h2"],
        allowHalfOpen: true,
      } as never);
      socket.end(word);
      let said = "";
      for await (const piece of socket) said += piece;
      return said;
    };
    const said = await Promise.all(["one", "two", "three", "four"].map(ask));
    assert.equal(
      said,
      ["one", "two", "three", "four"].map((word) => `null TLSv1.3\n${word} and the end`),
    );
    // Who never shakes hands is let go of, with a line.
    const silent = connectBare(port, "127.0.0.1");
    silent.resume();
    await once(silent, "close");
    const { stderr } = await server.stop();
    assert.match(stderr, /a connection was lost before it began: TLS handshake with 127\.0\.0\.1:\d+ timed out/);
  });
}

test.run();
