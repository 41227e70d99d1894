/** What every HTTP server should get right, and what it should keep to itself. */
import { field } from "../answers.ts";
import {
  type Attack,
  type Context,
  describe,
  exchange,
  fail,
  isRefusal,
  type Outcome,
  pass,
  type Seen,
  seen,
  warn,
} from "../attack.ts";

const PATIENCE_MS = 3_000;

interface Manner {
  readonly id: string;
  readonly name: string;
  readonly rule: string;
  readonly sent: string;
  readonly want: string;
  run(context: Context): Promise<Outcome>;
}

const manner = (each: Manner): Attack => ({
  ...each,
  id: `http/${each.id}`,
  family: "http",
  pace: "brisk",
  quick: true,
});

function request({ host }: Context, line: string, ...fields: readonly string[]): string {
  return `${line}\r\nHost: ${host}\r\n${fields.map((text) => `${text}\r\n`).join("")}\r\n`;
}

const CLOSE = "Connection: close";
const get = (context: Context, ...fields: readonly string[]): Promise<Seen> =>
  exchange(context, request(context, `GET ${context.path} HTTP/1.1`, ...fields), PATIENCE_MS);

/** What gives away how a server is made: stacks of Node, Python, Go, Java, and files of the machine. */
const LEAK =
  /\bat .{0,200}\.(?:[cm]?[jt]s|tsx|jsx):\d+|node_modules|Traceback \(most recent call|goroutine \d+ \[|\.go:\d+|\bat [\w$.]+\(\w+\.java:\d+\)|root:x:0:0:/;

export const manners: readonly Attack[] = [
  manner({
    id: "date",
    name: "answers carry a Date",
    rule: "RFC 9110, 6.6.1",
    sent: "GET /",
    want: "a Date within a minute of this machine's",
    async run(context) {
      const [answer] = (await get(context, CLOSE)).answers;
      const date = answer === undefined ? undefined : field(answer, "date");
      if (date === undefined) return warn("no Date");
      const off = Math.abs(Date.parse(date) - Date.now());
      return off < 60_000 ? pass(date) : warn(`${date}: it is off`);
    },
  }),
  manner({
    id: "server",
    name: "nothing tells the server's version",
    rule: "RFC 9110, 10.2.4",
    sent: "GET /",
    want: "no version in Server, no X-Powered-By",
    async run(context) {
      const [answer] = (await get(context, CLOSE)).answers;
      if (answer === undefined) return fail("no answer");
      const told = ["server", "x-powered-by"]
        .map((name) => [name, field(answer, name)] as const)
        .filter(([name, value]) => value !== undefined && (name !== "server" || /\d/.test(value)));
      if (told.length === 0) return pass("nothing");
      return warn(told.map(([name, value]) => `${name}: ${value}`).join(", "));
    },
  }),
  manner({
    id: "head",
    name: "HEAD is answered without a body",
    rule: "RFC 9110, 9.3.2",
    sent: "HEAD /",
    want: "the status of GET, or 405, and no body",
    async run(context) {
      const data = request(context, `HEAD ${context.path} HTTP/1.1`, CLOSE);
      const result = await exchange(context, data, PATIENCE_MS, ["HEAD"]);
      const { status } = result.answers[0] ?? { status: 0 };
      const head = Buffer.from(result.bytes).indexOf("\r\n\r\n") + 4;
      if (status === 0) return fail(describe(result));
      if (head < result.bytes.length) return fail(`${describe(result)}: ${result.bytes.length - head} bytes of body`);
      const fine = status === context.baseline.status || [405, 501].includes(status);
      return fine ? pass(describe(result)) : warn(`${describe(result)}: GET has ${context.baseline.status}`);
    },
  }),
  manner({
    id: "method",
    name: "an unknown method breaks nothing",
    rule: "RFC 9110, 9.1",
    sent: "BREW /",
    want: "405, 501, or an answer of the handler",
    async run(context) {
      const result = await exchange(context, request(context, `BREW ${context.path} HTTP/1.1`, CLOSE), PATIENCE_MS);
      const status = result.answers[0]?.status ?? 0;
      return status > 0 && (status < 500 || status === 501) ? pass(describe(result)) : warn(describe(result));
    },
  }),
  manner({
    id: "trace",
    name: "TRACE does not show what was sent",
    rule: "RFC 9110, 9.3.8",
    sent: "TRACE / with X-Secret",
    want: "no secret in the answer",
    async run(context) {
      const data = request(context, `TRACE ${context.path} HTTP/1.1`, "X-Secret: 7d1f0c", CLOSE);
      const result = await exchange(context, data, PATIENCE_MS);
      const shows = ({ bytes }: Seen): boolean => Buffer.from(bytes).includes("7d1f0c");
      if (!shows(result)) return pass(describe(result));
      // A handler that shows every request's fields does so by intent.
      if (shows(await get(context, "X-Secret: 7d1f0c", CLOSE)))
        return warn(`${describe(result)}: as GET ${context.path} does`);
      return fail(`${describe(result)}: the secret is in it`);
    },
  }),
  manner({
    id: "connect",
    name: "CONNECT opens no tunnel",
    rule: "RFC 9110, 9.3.6",
    sent: "CONNECT localhost:1 HTTP/1.1",
    want: "an error status, or close",
    async run(context) {
      const result = await exchange(context, request(context, "CONNECT localhost:1 HTTP/1.1"), PATIENCE_MS);
      const status = result.answers[0]?.status ?? 0;
      if (status >= 200 && status < 300) return fail(`${describe(result)}: that means a tunnel`);
      return status === 0 && result.end === undefined ? warn(describe(result)) : pass(describe(result));
    },
  }),
  manner({
    id: "http-1.0",
    name: "HTTP/1.0 is answered without chunks, and closed",
    rule: "RFC 9112, 6.1 and 9.3",
    sent: "GET / HTTP/1.0",
    want: "a whole answer, then close",
    async run(context) {
      const data = request(context, `GET ${context.path} HTTP/1.0`);
      const result = await exchange(context, data, PATIENCE_MS);
      const [answer] = result.answers;
      if (answer === undefined) return warn(describe(result));
      if (answer.chunked) return fail(`${describe(result)}: in chunks`);
      return result.end !== undefined && answer.whole ? pass(describe(result)) : fail(describe(result));
    },
  }),
  manner({
    id: "close",
    name: "Connection: close is obeyed",
    rule: "RFC 9112, 9.6",
    sent: "GET / with Connection: close",
    want: "one answer, then close",
    async run(context) {
      const result = await get(context, CLOSE);
      return result.end === "closed" && result.answers[0]?.whole ? pass(describe(result)) : fail(describe(result));
    },
  }),
  manner({
    id: "pipeline",
    name: "three pipelined requests are answered",
    rule: "RFC 9112, 9.3.2",
    sent: "GET /, GET /, GET / with close",
    want: "three answers, then close",
    async run(context) {
      const one = request(context, `GET ${context.path} HTTP/1.1`);
      const last = request(context, `GET ${context.path} HTTP/1.1`, CLOSE);
      const result = await exchange(context, one + one + last, PATIENCE_MS);
      return result.answers.filter(({ whole }) => whole).length === 3 ? pass(describe(result)) : fail(describe(result));
    },
  }),
  manner({
    id: "segments",
    name: "a request in segments of one byte",
    rule: "RFC 9112, 2",
    sent: "GET /, one byte a segment",
    want: "the answer of an ordinary request",
    async run(context) {
      using wire = (await context.wires.open()).read();
      const data = request(context, `GET ${context.path} HTTP/1.1`, CLOSE);
      for (let i = 0; i < data.length && (await wire.send(data[i])); i++) await turn();
      await wire.ended(PATIENCE_MS);
      const result = seen(wire);
      return result.answers[0]?.status === context.baseline.status ? pass(describe(result)) : fail(describe(result));
    },
  }),
  manner({
    id: "expect",
    name: "Expect: 100-continue does not hang",
    rule: "RFC 9110, 10.1.1",
    sent: "POST / with Expect: 100-continue, body held back",
    want: "100, or a final status",
    async run(context) {
      using wire = (await context.wires.open()).read();
      const line = `${context.baseline.bodyMethod} ${context.uploadPath} HTTP/1.1`;
      await wire.send(request(context, line, "Content-Length: 5", "Expect: 100-continue", CLOSE));
      await wire.until(() => seen(wire).answers.length + seen(wire).interim.length > 0, PATIENCE_MS);
      const { interim, answers } = seen(wire);
      if (interim.length + answers.length === 0) return fail(`nothing: ${describe(seen(wire))}`);
      await wire.send("hello");
      await wire.ended(PATIENCE_MS);
      return pass([...interim, ...seen(wire).answers.map(({ status }) => status)].join(" "));
    },
  }),
  manner({
    id: "leaks",
    name: "error pages keep stacks and files to themselves",
    rule: "CWE-209",
    sent: "GET of /%ff, /%00, /..%2f..%2fetc/passwd, a query of %, a broken JSON body",
    want: "no stack, no path of the machine",
    async run(context) {
      const odd = ["/%ff%fe", "/%00", "/..%2f..%2f..%2f..%2fetc/passwd", "/../../../../etc/passwd", "/?a[b]=%&a=%zz"];
      const requests = [
        ...odd.map((target) => request(context, `GET ${target} HTTP/1.1`, CLOSE)),
        `${request(context, `POST ${context.uploadPath} HTTP/1.1`, "Content-Type: application/json", "Content-Length: 3", CLOSE)}{{{`,
      ];
      const results = await Promise.all(requests.map((data) => exchange(context, data, PATIENCE_MS)));
      const leak = results.map((result) => LEAK.exec(Buffer.from(result.bytes).toString("latin1"))?.[0]).find(Boolean);
      if (leak !== undefined) return fail(`it shows ${JSON.stringify(leak.slice(0, 80))}`);
      const statuses = results.map((result) => result.answers[0]?.status ?? result.end ?? "nothing").join(" ");
      const broken = results.some(({ answers }) => (answers[0]?.status ?? 0) >= 500 && !isRefusal(answers[0]));
      return broken ? warn(`${statuses}: a client can cause errors of the server`) : pass(statuses);
    },
  }),
];

/** Gives the kernel the byte as a segment of its own (TCP_NODELAY is set), and the server a turn to read it. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
