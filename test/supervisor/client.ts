/** A client of programs/server.ts, on node:net, which we did not write. */
import { connect, type NetConnectOpts, type Socket } from "node:net";

export interface Client {
  readonly socket: Socket;
  /** Sends a line; the answer, up to the next newline. */
  ask(line: string): Promise<string>;
  /** Resolves when the server has closed. */
  readonly ended: Promise<void>;
}

export function open(options: NetConnectOpts): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    socket.once("error", reject);
    socket.setEncoding("utf8");
    let text = "";
    const waiting: ((line: string) => void)[] = [];
    socket.on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\n"); end >= 0 && waiting.length > 0; end = text.indexOf("\n")) {
        waiting.shift()?.(text.slice(0, end));
        text = text.slice(end + 1);
      }
    });
    const ended = new Promise<void>((done) => socket.once("close", () => done()));
    const ask = (line: string): Promise<string> =>
      new Promise((answered, failed) => {
        waiting.push(answered);
        ended.then(() => failed(new Error(`closed before ${line} was answered`)));
        socket.write(`${line}\n`);
      });
    socket.once("connect", () => resolve({ socket, ask, ended }));
  });
}

/** One connection, one line: the process id that answered. */
export async function pidAt(options: NetConnectOpts): Promise<number> {
  const client = await open(options);
  const answer = await client.ask("who");
  client.socket.end();
  return Number(answer.split(" ")[0]);
}
