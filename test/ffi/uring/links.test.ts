/**
 * A close is linked to the send before it. The kernel that takes only the send, being out of memory for the other,
 * hands it to a thread of its own (io_uring's link ends with what was submitted): so the close, which comes with the
 * next enter, would overtake it.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { uringCalls } from "../../../ffi/uring-calls.ts";
import { skip } from "../../support/skip.ts";
import { connection, descriptors, newPoller, pattern, refused, same, settle, smallBuffers, tcp, unix, until } from "./support.ts"; // biome-ignore format: one line

const test = suite("links");

for (const [name, fds] of [
  ["TCP", () => tcp()],
  ["a Unix socket", () => unix()],
  ["full buffers", () => unix(smallBuffers)],
] as const) {
  const title = `what was sent comes before the end, though the kernel took the close later: ${name}`;
  if (refused !== "") skip(test, title, refused);
  else test(title, () => oneByOne(fds));
}

function oneByOne(fds: () => [number, number]): void {
  const before = descriptors();
  const real = uringCalls();
  let one = false;
  const poller = newPoller({
    ...real,
    enter: (fd, submit, wait, ...rest) => real.enter(fd, one ? Math.min(1, submit) : submit, one ? 0 : wait, ...rest),
  });
  for (let i = 0; i < 200; i++) {
    const { near, far } = connection(poller, fds());
    far.send(pattern(10));
    poller.receive(near.handle);
    until(poller, () => near.length === 10, "what makes it a connection");
    const bytes = pattern(1 + ((i * 797) % 16_000), i);
    near.answer(bytes);
    poller.close(near.handle);
    one = true;
    poller.poll(0);
    one = false;
    until(
      poller,
      () => {
        far.read();
        return far.end !== undefined;
      },
      "the end",
    );
    same(far.bytes, bytes, `connection ${i}`);
    assert.is(far.end, 0, "FIN");
    far.close();
  }
  settle(poller);
  poller.dispose();
  assert.equal(descriptors(), before, "no descriptor is left");
}

test.run();
