// /metrics: what it says, and that whoever reads it by the letter can.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Exposition } from "../../src/admin/metrics/exposition.ts";
import { counter, gauge, histogram, info } from "../../src/admin/metrics/family.ts";
import { httpFamilies } from "../../src/admin/metrics/http.ts";
import { CLASSES, Histogram, HttpCounters, LIMITS, METHODS } from "../../src/http/counters.ts";
import { go } from "../../src/runtime/tasks.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { start } from "../http/support/server.ts";
import { open } from "./support/ask.ts";
import { parseOpenMetrics, valueIn } from "./support/openmetrics.ts";

const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

test("a scrape is OpenMetrics by the letter", async () => {
  await using admin = await open();
  const { status, headers, text } = await admin.get("/metrics");
  assert.is(status, 200);
  assert.is(headers["content-type"], OPENMETRICS);
  const families = parseOpenMetrics(text);
  for (const { name, help } of families.values()) assert.ok(help, `${name} has no help`);
  assert.is(valueIn(families, "slipway_build_info", { node_version: process.versions.node }), 1);
  assert.is(valueIn(families, "slipway_draining"), 0);
  assert.ok(valueIn(families, "process_resident_memory_bytes") > 1e6);
  assert.ok(valueIn(families, "process_cpu_seconds_total") > 0);
  assert.ok(valueIn(families, "process_open_fds") > 3);
  assert.ok(valueIn(families, "process_max_fds") >= valueIn(families, "process_open_fds"));
  assert.ok(Math.abs(valueIn(families, "process_start_time_seconds") - Date.now() / 1000 + process.uptime()) < 60);
  assert.ok(valueIn(families, "slipway_turns_total") > 0);
  assert.ok(valueIn(families, "slipway_sockets") > 0);
  assert.is(valueIn(families, "slipway_poller_info", { backend: runtime().poller.name }), 1);
  assert.ok(valueIn(families, "slipway_stalls_total") >= 0);
  for (const reason of ["rate", "full", "failed"]) {
    assert.ok(valueIn(families, "slipway_log_lines_dropped_total", { reason }) >= 0);
  }
});

test("who names only the older format gets that, before and after the other", async () => {
  await using admin = await open();
  const older = async () => {
    const { headers, text } = await admin.get("/metrics", { headers: { accept: "text/plain;version=0.0.4" } });
    assert.is(headers["content-type"], PROMETHEUS);
    return text;
  };
  for (let i = 0; i < 2; i++) {
    const text = await older();
    assert.match(text, /^# TYPE slipway_connections_accepted_total counter\nslipway_connections_accepted_total \d/m);
    assert.match(text, /^# TYPE slipway_build_info gauge\nslipway_build_info\{/m);
    assert.not.match(text, /# EOF/);
    parseOpenMetrics((await admin.get("/metrics")).text);
  }
});

for (const [accept, type] of [
  ["*/*", OPENMETRICS],
  ["application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS],
  ["text/plain;q=0.9,application/openmetrics-text;q=0.1", PROMETHEUS],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PROMETHEUS],
  ["image/png", OPENMETRICS],
  ["application/openmetrics-text;q=zero, text/plain", PROMETHEUS],
  [",;q=,", OPENMETRICS],
] as const) {
  test(`Accept: ${accept}`, async () => {
    await using admin = await open();
    assert.is((await admin.get("/metrics", { headers: { accept } })).headers["content-type"], type);
  });
}

test("requests show, those of the admin port do not", async () => {
  await using admin = await open();
  using server = start((request) => new Response("hello", { status: request.url.endsWith("/no") ? 404 : 200 }));
  const before = parseOpenMetrics((await admin.get("/metrics")).text);
  await (await fetch(`${server.url}/`)).text();
  await (await fetch(`${server.url}/no`)).text();
  await (await fetch(`${server.url}/`, { method: "POST", body: "x".repeat(5000) })).text();
  const after = parseOpenMetrics((await admin.get("/metrics")).text);
  const grew = (name: string, labels: Record<string, string> = {}) => {
    const was = (() => {
      try {
        return valueIn(before, name, labels);
      } catch {
        return 0;
      }
    })();
    return valueIn(after, name, labels) - was;
  };
  const requests = (method: string, status: string) =>
    grew("slipway_http_requests_total", { http_request_method: method, http_response_status_class: status });
  assert.is(requests("GET", "2xx"), 1);
  assert.is(requests("GET", "4xx"), 1);
  assert.is(requests("POST", "2xx"), 1);
  assert.is(requests("GET", "5xx"), 0);
  assert.is(grew("http_server_request_duration_seconds_count"), 3);
  assert.is(grew("http_server_request_body_size_bytes_count"), 3);
  assert.is(grew("http_server_request_body_size_bytes_bucket", { le: "4096.0" }), 2);
  assert.is(grew("http_server_request_body_size_bytes_bucket", { le: "16384.0" }), 3);
  assert.ok(grew("slipway_received_bytes_total") > 5000);
  assert.ok(grew("slipway_connections_accepted_total") >= 1);
  assert.ok(valueIn(after, "slipway_connections", { state: "idle" }) >= 1);
  assert.ok(valueIn(after, "slipway_servers", { state: "accepting" }) >= 1);
});

for (const [kind, handler] of [
  ["at once", () => new Response("x".repeat(1000))],
  ["later", async () => new Response("x".repeat(1000))],
  ["a large one", () => new Response(new Uint8Array(1_000_000))],
  ["a stream", () => new Response(new Blob(["x".repeat(200_000)]).stream())],
] as const) {
  test(`bytes sent are counted, and those of bodies apart, ${kind}`, async () => {
    await using admin = await open();
    using server = start(handler);
    const read = async () => {
      const families = parseOpenMetrics((await admin.get("/metrics")).text);
      return [
        valueIn(families, "slipway_sent_bytes_total"),
        valueIn(families, "http_server_response_body_size_bytes_sum"),
      ];
    };
    const [sentBefore, bodiesBefore] = await read();
    const { byteLength } = await (await fetch(server.url)).arrayBuffer();
    const [sent, bodies] = await read();
    const head = sent - sentBefore - (bodies - bodiesBefore);
    assert.ok(head > 50 && head < 300, `a head of ${head} bytes`);
    const framing = bodies - bodiesBefore - byteLength;
    assert.ok(kind === "a stream" ? framing > 0 && framing < 1000 : framing === 0, `${framing} bytes of framing`);
  });
}

test("names of tasks are escaped, kept apart, and only so many", async () => {
  await using admin = await open();
  const { promise, resolve } = Promise.withResolvers<void>();
  const wait = () => promise;
  const hostile = [
    'quo"te',
    "back\\slash",
    "line\nfeed",
    "\ud800",
    "\ud801",
    "\u001b[31m",
    "x".repeat(5000),
    "",
    "_other",
  ];
  for (const name of hostile) for (let i = 0; i < 3; i++) go(name, wait);
  for (let i = 0; i < 200; i++) go(`user ${i}`, wait);
  try {
    const families = parseOpenMetrics((await admin.get("/metrics")).text);
    const rows = families.get("slipway_task_oldest_seconds")?.samples ?? [];
    assert.is.not(rows.length, 0);
    assert.ok(rows.length <= 51, `${rows.length} rows`);
    for (const { labels } of rows) assert.ok(labels.task.length <= 100);
    const count = (task: string) =>
      (families.get("slipway_tasks")?.samples ?? [])
        .filter(({ labels }) => labels.task === task)
        .reduce((sum, { value }) => sum + value, 0);
    assert.is(count('quo"te'), 3);
    assert.is(count("back\\slash"), 3);
    assert.is(count("line\\u000afeed"), 3);
    assert.is(count("\ufffd"), 6);
    assert.is(count("\\u001b[31m"), 3);
    assert.is(count(""), 3);
    assert.is(count(`${"x".repeat(99)}…`), 3);
    assert.ok(count("_other") > 100);
    const all = (families.get("slipway_tasks")?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
    assert.ok(all >= 200 + 3 * hostile.length);
  } finally {
    resolve();
  }
});

test("a family that can't be read is without samples, and costs no other its own", async () => {
  const exposition = new Exposition([
    counter("a", "Fine.", () => 1),
    gauge("b", "Broken.", () => {
      throw new Error("EMFILE");
    }),
    info("c", "Fine.", () => ({ x: "y" })),
    histogram("d", "Fine.", new Histogram([0.5, 1, 10])),
  ]);
  const families = parseOpenMetrics(await exposition.text("openmetrics"));
  assert.is(families.get("b")?.samples.length, 0);
  assert.is(valueIn(families, "a_total"), 1);
  assert.is(valueIn(families, "c_info", { x: "y" }), 1);
  assert.is(valueIn(families, "d_count"), 0);
});

test("every method, class and limit has its row, with its own number", async () => {
  const counters = new HttpCounters();
  for (const i of counters.requests.keys()) counters.requests[i] = i + 1;
  for (const i of LIMITS.keys()) counters.limits[i] = 1000 + i;
  for (const value of [0, 0.005, 0.006, 10, 11, 1e9]) counters.duration.observe(value);
  Object.assign(counters, { accepted: 7, bytesIn: 8, bytesOut: 2 ** 53 - 1, cut: 9 });
  const server = { connections: 10, busy: 4, active: 20, draining: false, accepting: true, handshaking: 0, certificates: [] }; // biome-ignore format: one line
  const servers = [
    server,
    { ...server, accepting: false, handshaking: 0, certificates: [] },
    { ...server, draining: true, accepting: false, handshaking: 0, certificates: [] },
  ];
  const families = parseOpenMetrics(await new Exposition(httpFamilies(counters, () => servers)).text("openmetrics"));
  for (const [m, method] of METHODS.entries()) {
    for (const [c, status] of ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].entries()) {
      const labels = { http_request_method: method, http_response_status_class: status };
      assert.is(valueIn(families, "slipway_http_requests_total", labels), m * CLASSES + c + 1);
    }
  }
  for (const [i, limit] of LIMITS.entries()) {
    assert.is(valueIn(families, "slipway_limits_fired_total", { limit }), 1000 + i);
  }
  const bucket = (le: string) => valueIn(families, "http_server_request_duration_seconds_bucket", { le });
  assert.equal([bucket("0.005"), bucket("0.01"), bucket("10.0"), bucket("+Inf")], [2, 3, 4, 6]);
  assert.is(valueIn(families, "slipway_connections_accepted_total"), 7);
  assert.is(valueIn(families, "slipway_received_bytes_total"), 8);
  assert.is(valueIn(families, "slipway_sent_bytes_total"), 2 ** 53 - 1);
  assert.is(valueIn(families, "slipway_http_requests_cut_total"), 9);
  assert.is(valueIn(families, "slipway_connections", { state: "active" }), 12);
  assert.is(valueIn(families, "slipway_connections", { state: "idle" }), 18);
  // Of HTTP/2 many to a connection.
  assert.is(valueIn(families, "http_server_active_requests"), 60);
  for (const state of ["accepting", "waiting", "draining"]) {
    assert.is(valueIn(families, "slipway_servers", { state }), 1, state);
  }
});

test("the reader that these tests rely on is strict", () => {
  for (const bad of [
    "a 1\n",
    "# TYPE a gauge\na 1\n",
    "# TYPE a gauge\na 1 # EOF\n",
    "# TYPE a gauge\n\na 1\n# EOF\n",
    "# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",
    "# TYPE a gauge\na 1\na 2\n# EOF\n",
    "# TYPE a counter\na 1\n# EOF\n",
    "# TYPE a_total counter\na_total_total 1\n# EOF\n",
    '# TYPE a gauge\na{x="\\q"} 1\n# EOF\n',
    '# TYPE a gauge\na{x="1",x="2"} 1\n# EOF\n',
    '# TYPE a gauge\na{x="1",} 1\n# EOF\n',
    "# TYPE a gauge\na  1\n# EOF\n",
    "# TYPE a gauge\na 1 \n# EOF\n",
    "# TYPE a gauge\na one\n# EOF\n",
    "# TYPE a info\na_info 2\n# EOF\n",
    '# HELP a say "x"\n# TYPE a gauge\na 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="1.0"} 1\na_count 1\na_sum 1\n# EOF\n',
  ]) {
    assert.throws(() => parseOpenMetrics(bad), undefined, bad);
  }
  const good = parseOpenMetrics('# TYPE a gauge\n# HELP a x\\ny\na{x="\\\\\\"\\n"} +Inf\n# EOF');
  assert.equal(good.get("a")?.samples, [{ name: "a", labels: { x: '\\"\n' }, value: Number.POSITIVE_INFINITY }]);
});

test.run();
