// time limit: 240 s
// The bench as a whole, with tiny numbers: what it prints, what it keeps, how it
// says no, and that it leaves nothing running.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Result } from "../../scripts/bench/rounds.ts";
import { order } from "../../scripts/bench/rounds.ts";
import { median } from "../../scripts/bench/statistics.ts";

const test = suite("bench");
const main = fileURLToPath(new URL("../../scripts/bench/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "slipway-bench-test-"));
const tiny = ["--rounds", "2", "--seconds", "0.2", "--warmup", "0.1", "--out", directory];

function bench(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

const own = join(directory, "own.mjs");
writeFileSync(
  own,
  `import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
const [port, handler] = process.argv.slice(2);
const { fetch } = (await import(pathToFileURL(handler).href)).default;
createServer(async (_request, response) => response.end(await (await fetch()).text())).listen(Number(port), "127.0.0.1");
`,
);

test("one question, two peers: a table and a JSON file", async () => {
  const command = `mine='${process.execPath}' '${own}' {port} '{handler}'`;
  const { code, out, err } = await bench("plaintext", "--peers", "node", "--cmd", command, ...tiny);
  assert.is(code, 0, err + out);
  assert.match(out, /^plaintext: .*\(2 rounds of 0\.2 s\)$/m);
  assert.match(out, /^node +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d/m);
  assert.match(out, /^mine +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d/m);
  const result = JSON.parse(readFileSync(join(directory, "plaintext.json"), "utf8")) as Result & { machine: object };
  assert.is(result.question, "plaintext");
  assert.is(result.unit, "CPU µs/request");
  assert.equal(
    result.peers.map((peer) => peer.peer),
    ["node", "mine"],
  );
  for (const peer of result.peers) {
    assert.is(peer.samples.length, 2);
    assert.ok(peer.min > 0.1 && peer.min <= peer.median && peer.median <= peer.max, JSON.stringify(peer));
    assert.ok(peer.spread >= 1);
    assert.ok(peer.extra.rate > 100);
  }
  const [node, mine] = result.peers;
  const ratios = node.samples.map((sample, round) => sample.value / mine.samples[round].value);
  assert.is(node.ratio.mine, median(ratios));
});

test("a question about two cores tells what the load generator took of them", async () => {
  const { code, out, err } = await bench("parallel-plaintext", "--peers", "node", ...tiny);
  assert.is(code, 0, err);
  assert.match(out, /the load's/);
  const result = JSON.parse(readFileSync(join(directory, "parallel-plaintext.json"), "utf8")) as Result;
  for (const { extra } of result.peers[0].samples) assert.ok(extra.load > 0 && extra.cost > 0, JSON.stringify(extra));
});

test("start: milliseconds to the first 200, each sample a process of its own", async () => {
  const { code, out, err } = await bench("start", "--peers", "commonjs,node", ...tiny);
  assert.is(code, 0, err + out);
  assert.match(out, /^start: from exec to the first 200/m);
  const result = JSON.parse(readFileSync(join(directory, "start.json"), "utf8")) as Result;
  assert.is(result.unit, "ms");
  for (const peer of result.peers) assert.ok(peer.min > 1 && peer.extra.mebibytes > 10, JSON.stringify(peer));
});

test("idle: thousands of connections stay open, and memory and CPU are told", async () => {
  const { code, out, err } = await bench("idle", "--peers", "node", "--rounds", "1", "--out", directory);
  assert.is(code, 0, err + out);
  const [node] = (JSON.parse(readFileSync(join(directory, "idle.json"), "utf8")) as Result).peers;
  assert.ok(node.median > 1000 && node.median < 100_000, `${node.median} bytes a connection`);
  assert.ok(node.extra.mebibytes > 10 && node.extra.ticks >= 0);
});

test("a peer that answers with errors is named, and the others go on", async () => {
  const bad = join(directory, "bad.mjs");
  writeFileSync(
    bad,
    `import { createServer } from "node:http";
let seen = 0;
createServer((_request, response) => {
  response.statusCode = ++seen % 10 ? 200 : 500;
  response.end("Hello, world!");
}).listen(Number(process.argv[2]), "127.0.0.1");
`,
  );
  const { code, out } = await bench(
    "plaintext",
    "--peers",
    "node",
    "--cmd",
    `bad='${process.execPath}' '${bad}' {port}`,
    ...tiny,
  );
  assert.is(code, 1);
  assert.match(out, /^failed: bad: plaintext: bad answered \d+ requests with 200, \d+ with another status/m);
  assert.match(out, /^node +\d/m);
});

test("a peer whose port was taken in the meantime is started again on another", async () => {
  const tried = join(directory, "tried");
  const taken = "listen EADDRINUSE: address already in use 127.0.0.1:{port}";
  const command = `again=if mkdir '${tried}'; then echo '${taken}' >&2; exit 1; fi; exec '${process.execPath}' '${own}' {port} '{handler}'`;
  const { code, out, err } = await bench("plaintext", "--peers", "", "--cmd", command, ...tiny);
  assert.is(code, 0, err + out);
  assert.match(out, /^again +\d+\.\d\d/m);
});

test("a peer that ends before it answers is named with what it said", async () => {
  const { code, out } = await bench(
    "plaintext",
    "--peers",
    "",
    "--cmd",
    "gone=echo 'Error: no {port} today' >&2",
    ...tiny,
  );
  assert.is(code, 1);
  assert.match(out, /^failed: gone: .*ended before its first 200; it said: Error: no \d+ today$/m);
});

test("what cannot be done is said in one line", async () => {
  for (const [args, message] of [
    [["plaintex"], /^bench: no question is called plaintex; there are .*plaintext/],
    [["--peers", "nginx"], /^bench: no peer is called nginx; there are slipway, /],
    [["--cmd", "node server.ts"], /^bench: --cmd node server\.ts: write name='command with \{port\}'/],
    [["--rounds", "0"], /^bench: --rounds 0: give a number above 0/],
    [["--seconds", "3600"], /^bench: --seconds 3600: give a number above 0, at most 60/],
    [["--cores", "one"], /^bench: --cores takes two numbers/],
    [["--fast"], /^bench: Unknown option '--fast'/],
  ] as const) {
    const { code, out, err } = await bench(...args);
    assert.is(code, 1, args.join(" "));
    assert.match(err, message);
    assert.is(err.trim().split("\n").length, 1, err);
    assert.is(out, "");
  }
});

test("an interrupted bench takes its servers with it", async () => {
  // The server tells us that it lives by a connection, and that it has ended by the end of it.
  const watcher = createServer();
  await new Promise<void>((resolve) => watcher.listen(0, "127.0.0.1", resolve));
  const address = watcher.address();
  if (address === null || typeof address === "string") throw new Error("the watcher has no port");
  const lives = join(directory, "lives.mjs");
  writeFileSync(
    lives,
    `import { connect } from "node:net";
connect(${address.port}, "127.0.0.1");
process.on("SIGTERM", () => {}); // one that would not go by itself
`,
  );
  const connected = once(watcher, "connection");
  const command = `lives=true {port}; '${process.execPath}' '${lives}'; true`;
  const child = spawn(process.execPath, [main, "plaintext", "--peers", "", "--cmd", command, ...tiny], {
    stdio: "ignore",
  });
  const exit = once(child, "exit");
  const [socket] = await connected;
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.resume();
  });
  child.kill("SIGINT");
  assert.equal(await exit, [130, null]);
  await closed;
  watcher.close();
});

test("every peer takes every place in turn", () => {
  assert.equal(
    [0, 1, 2, 3].map((round) => order(3, round)),
    [
      [0, 1, 2],
      [1, 2, 0],
      [2, 0, 1],
      [0, 1, 2],
    ],
  );
});

test("median of odd and even counts", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([7]), 7);
});

test.after(() => rmSync(directory, { recursive: true, force: true }));
test.run();
