/** The life of a handle on io_uring: nothing of a former one reaches its next owner, and every close is seen outside. */
import * as assert from "uvu/assert";
import type { UringPoller } from "../../../ffi/uring.ts";
import { address, connection, errno, Far, linger0, listening, Near, settle, smallBuffers, sys, tcp, unix, until, uring } from "./support.ts"; // biome-ignore format: one line

const test = uring("life");
const { AF_INET, SOCK_STREAM } = sys.constants;
const byte = new Uint8Array([1]);

test("a number is not given out again before its last completion", (poller) => {
  const { near, far } = connection(poller);
  poller.receive(near.handle);
  settle(poller);
  // A receive is with the kernel: closing needs its end.
  poller.close(near.handle);
  const others = Array.from({ length: 20 }, () => connection(poller));
  assert.not.ok(others.some((other) => other.near.handle === near.handle));
  settle(poller);
  const again = connection(poller);
  assert.is(again.near.handle, near.handle, "it is free now");
  for (const each of [...others, again]) {
    poller.close(each.near.handle);
    each.far.close();
  }
  far.close();
});

test("what came for a closed handle is told to nobody", (poller) => {
  const { near, far } = connection(poller);
  poller.receive(near.handle);
  settle(poller);
  far.send(byte);
  poller.close(near.handle);
  const fresh = Array.from({ length: 5 }, () => connection(poller));
  for (const each of fresh) poller.receive(each.near.handle);
  settle(poller);
  assert.equal(near.heard, []);
  for (const each of fresh) {
    assert.equal(each.near.heard, []);
    each.far.send(byte);
  }
  until(poller, () => fresh.every((each) => each.near.length === 1), "each hears its own");
  for (const each of fresh) {
    poller.close(each.near.handle);
    each.far.close();
  }
  far.close();
});

test("two completions of one round: the first closes the second's handle, and a new one is opened", (poller) => {
  const pairs = Array.from({ length: 8 }, () => connection(poller));
  const opened: { near: Near; far: Far }[] = [];
  for (const { near } of pairs) {
    poller.receive(near.handle);
    near.also = () => {
      for (const other of pairs) if (other.near !== near) poller.close(other.near.handle);
      const fresh = connection(poller);
      poller.receive(fresh.near.handle);
      opened.push(fresh);
    };
  }
  settle(poller);
  for (const { far } of pairs) far.send(byte);
  until(poller, () => opened.length > 0, "the first");
  settle(poller);
  assert.is(opened.length, 1);
  assert.is(pairs.filter(({ near }) => near.heard.length > 0).length, 1);
  assert.equal(opened[0].near.heard, []);
  for (const each of [...pairs, ...opened]) {
    poller.close(each.near.handle);
    each.far.close();
  }
});

test("thousands of opens and closes: each hears its own bytes, whatever number it has", (poller) => {
  for (let round = 0; round < 60; round++) {
    const pairs = Array.from({ length: 50 }, () => connection(poller, unix()));
    for (const [i, { near, far }] of pairs.entries()) {
      poller.receive(near.handle);
      far.send(new Uint8Array([round, i]));
      // Of some, the completion is on its way when they are closed.
      if (i % 3 === 0) poller.close(near.handle);
    }
    until(poller, () => pairs.every(({ near }, i) => i % 3 === 0 || near.length === 2), "all have theirs");
    for (const [i, { near, far }] of pairs.entries()) {
      assert.equal([...near.bytes], i % 3 === 0 ? [] : [round, i]);
      poller.close(near.handle);
      poller.close(near.handle);
      far.close();
    }
  }
});

/** What may be under way on a connection when it is closed. */
const armed: Record<string, (poller: UringPoller, near: Near, far: Far) => void> = {
  nothing: () => {},
  "watched for a hang-up": (poller) => settle(poller),
  "a receive, asked for in this turn": (poller, near) => poller.receive(near.handle),
  "a receive": (poller, near) => {
    poller.receive(near.handle);
    settle(poller);
  },
  "a multishot receive": (poller, near, far) => {
    poller.receive(near.handle);
    far.send(byte);
    until(poller, () => near.length === 1, "the byte");
    settle(poller);
  },
  "a pause": (poller, near, far) => {
    poller.receive(near.handle);
    settle(poller);
    poller.pause(near.handle);
    far.send(byte);
    settle(poller);
  },
  "a send, in this turn": (_poller, near) => void near.answer(byte),
  "a receive and a send": (poller, near) => {
    poller.receive(near.handle);
    settle(poller);
    near.answer(byte);
  },
  "a send that waits for room": (poller, near) => {
    while (poller.send(near.handle, new Uint8Array(100_000), 0, 100_000) === 0);
    settle(poller);
  },
  "an end that was told": (poller, near, far) => {
    poller.receive(near.handle);
    far.finish();
    until(poller, () => near.count("ended") === 1, "the end");
  },
};
for (const [what, arm] of Object.entries(armed)) {
  for (const where of ["outside of a poll", "in a callback"]) {
    for (const atOnce of [false, true]) {
      test(`FIN behind a close ${where}${atOnce ? ", at once" : ""}: ${what}`, (poller) => {
        const { near, far } = connection(poller);
        const { near: other, far: otherFar } = connection(poller);
        arm(poller, near, far);
        if (where === "in a callback") {
          poller.receive(other.handle);
          other.also = () => poller.close(near.handle, atOnce);
          otherFar.send(byte);
          until(poller, () => other.length === 1, "the callback");
        } else poller.close(near.handle, atOnce);
        until(poller, () => far.read() && far.end !== undefined, "the peer sees the end");
        // Bytes that nobody read make a reset of it, as close(2) does.
        assert.ok(far.end === 0 || what === "a pause", `errno ${far.end}`);
        poller.close(other.handle);
        far.close();
        otherFar.close();
      });
    }
  }
}

test("closed at once: its descriptor is free when close returns", (poller) => {
  const { near, far } = connection(poller);
  const fd = poller.fd(near.handle);
  poller.receive(near.handle);
  settle(poller);
  poller.close(near.handle, true);
  assert.is(sys.close(fd), -errno.EBADF);
  far.close();
});

test("a closed listener accepts nothing more, and its port is free at once", (poller) => {
  for (const wait of [false, true]) {
    const { fd, port } = listening();
    const listener = new Near(poller, fd);
    poller.accept(listener.handle);
    if (wait) settle(poller);
    poller.close(listener.handle);
    const again = listening(port);
    assert.is(again.error, 0, "the port is free");
    const client = sys.socket(AF_INET, SOCK_STREAM, 0);
    sys.connect(client, address(port));
    settle(poller);
    assert.equal(listener.heard, []);
    const accepted = sys.accept(again.fd);
    assert.ok(accepted >= 0, "the new listener has the client");
    for (const each of [again.fd, client, accepted]) sys.close(each);
  }
});

test("a listener closed in its own callback accepts nothing more; those that waited are reset", (poller) => {
  const { fd, port } = listening();
  const listener = new Near(poller, fd);
  listener.also = () => poller.close(listener.handle);
  const clients = Array.from({ length: 10 }, () => {
    const client = sys.socket(AF_INET, SOCK_STREAM, 0);
    sys.connect(client, address(port));
    return new Far(client);
  });
  poller.accept(listener.handle);
  settle(poller);
  assert.is(listener.accepted_.length, 1);
  sys.close(listener.accepted_[0]);
  for (const client of clients) {
    until(poller, () => client.read(), "an end");
    client.close();
  }
});

test("a paused listener leaves connections in its queue, for whoever accepts next", (poller) => {
  const { fd, port } = listening();
  const listener = new Near(poller, fd);
  poller.accept(listener.handle);
  settle(poller);
  poller.pause(listener.handle);
  const client = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.connect(client, address(port));
  settle(poller);
  assert.equal(listener.heard, []);
  poller.accept(listener.handle);
  until(poller, () => listener.accepted_.length === 1, "it is accepted");
  poller.close(listener.handle);
  for (const each of [client, ...listener.accepted_]) sys.close(each);
});

test("close with SO_LINGER 0 resets at once, whatever is under way", (poller) => {
  for (const [what, arm] of Object.entries(armed)) {
    if (what === "an end that was told") continue;
    const { near, far } = connection(poller, tcp(smallBuffers));
    arm(poller, near, far);
    linger0(poller.fd(near.handle));
    poller.close(near.handle);
    poller.poll(0);
    far.read();
    assert.is(far.end, errno.ECONNRESET, what);
    far.close();
    settle(poller);
  }
});

test("connect: told when it is there, refused where nobody listens, and closed meanwhile", (poller) => {
  const { fd, port } = listening();
  const there = new Near(poller, sys.socket(AF_INET, SOCK_STREAM, 0));
  assert.is(poller.connect(there.handle, address(port)), 0);
  until(poller, () => there.heard.length > 0, "connected");
  assert.equal(there.heard, ["connected"]);
  const closed = new Near(poller, sys.socket(AF_INET, SOCK_STREAM, 0));
  poller.connect(closed.handle, address(port));
  poller.close(closed.handle);
  sys.close(fd);
  const refused = new Near(poller, sys.socket(AF_INET, SOCK_STREAM, 0));
  const error = poller.connect(refused.handle, address(port));
  if (error === 0) {
    until(poller, () => refused.heard.length > 0, "refused");
    assert.is(refused.heard[0], `failed ${errno.ECONNREFUSED}`);
  } else assert.is(error, -errno.ECONNREFUSED);
  settle(poller);
  assert.equal(closed.heard, []);
  poller.close(there.handle);
  poller.close(refused.handle);
});

for (const what of ["closes itself", "pauses itself", "goes on"]) {
  test(`the table of handles grows within a callback of one that ${what}`, (poller) => {
    const pairs = Array.from({ length: 4 }, () => connection(poller));
    const opened: { near: Near; far: Far }[] = [];
    const bytes = new Uint8Array(200_000);
    for (const { near } of pairs) {
      poller.receive(near.handle);
      near.also = () => {
        if (opened.length === 0) {
          for (let i = 0; i < 1100; i++) opened.push(connection(poller, unix()));
          if (what === "closes itself") poller.close(near.handle);
          if (what === "pauses itself") poller.pause(near.handle);
        }
      };
    }
    settle(poller);
    for (const { far } of pairs) far.send(bytes);
    if (what === "pauses itself") {
      settle(poller);
      for (const { near } of pairs) poller.receive(near.handle);
    }
    const goesOn = ({ near }: { near: Near }) => what !== "closes itself" || poller.sink(near.handle) === near;
    until(poller, () => pairs.filter(goesOn).every(({ near }) => near.length === bytes.length), "all their bytes");
    assert.is(pairs.filter(goesOn).length, what === "closes itself" ? 3 : 4);
    const last = opened[opened.length - 1];
    poller.receive(last.near.handle);
    last.far.send(byte);
    until(poller, () => last.near.length === 1, "the last one");
    for (const { near, far } of [...pairs, ...opened]) {
      poller.close(near.handle);
      far.close();
    }
    settle(poller);
  });
}

test("the table of handles grows while what came in a pause is delivered, and the pause that follows holds", (poller) => {
  const { near, far } = connection(poller);
  const opened: { near: Near; far: Far }[] = [];
  poller.receive(near.handle);
  settle(poller);
  poller.pause(near.handle);
  far.send(byte);
  settle(poller);
  far.send(byte);
  far.finish();
  settle(poller);
  near.also = () => {
    if (opened.length === 0) for (let i = 0; i < 1100; i++) opened.push(connection(poller, unix()));
    poller.pause(near.handle);
  };
  for (const told of [["received"], ["received", "received"], ["received", "received", "ended"]]) {
    poller.receive(near.handle);
    settle(poller);
    assert.equal(
      near.heard.filter((what) => what !== "hungUp"),
      told,
    );
  }
  for (const each of [{ near, far }, ...opened]) {
    poller.close(each.near.handle);
    each.far.close();
  }
});

test("what a sink throws is told with its handle, the others get their events, and its buffer is given back", (poller) => {
  const errors: unknown[] = [];
  poller.onSinkError = (handle, error) => errors.push([handle, error]);
  const mistake = new Error("in a sink");
  // More often than there are buffers.
  for (let i = 0; i < 700; i++) {
    const { near: bad, far: badFar } = connection(poller, unix());
    bad.also = () => {
      throw mistake;
    };
    poller.receive(bad.handle);
    badFar.send(byte);
    until(poller, () => errors.length > 0, "the error");
    assert.equal(errors.splice(0), [[bad.handle, mistake]]);
    poller.close(bad.handle);
    badFar.close();
  }
  const { near, far } = connection(poller);
  poller.receive(near.handle);
  far.send(byte);
  until(poller, () => near.length === 1, "a buffer is left");
  poller.close(near.handle);
  far.close();
});

test.run();
