/** TCP urgent data: what comes behind its mark is read at once, not when something else happens to come. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { koffi } from "../../ffi/koffi.ts";
import { system } from "../../ffi/libc.ts";
import { encodeIp } from "../../src/net/address.ts";
import { listen } from "../../src/net/mod.ts";
import { bytes, readExactly, text } from "../net/pair.ts";

const test = suite("urgent data");
const MSG_OOB = 1;

test("is skipped, and the rest follows", async () => {
  const sys = system();
  const { AF_INET, SOCK_STREAM } = sys.constants;
  const send = koffi.load(null).func("send", "int", ["int", "void *", "size_t", "int"]);
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.connect(fd, encodeIp(sys.constants, { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" }, port));
  using conn = await listener.accept();
  for (let i = 0; i < 3; i++) {
    // All three are with the kernel before anybody reads: one edge for all.
    send(fd, bytes("abc"), 3, 0);
    send(fd, bytes("!"), 1, MSG_OOB);
    send(fd, bytes("def"), 3, 0);
    conn.setReadDeadline(Date.now() + 10_000);
    assert.is(text(await readExactly(conn, 6)), "abcdef");
  }
  sys.close(fd);
});

test.run();
