/** A name server that answers every question with one CAA record (RFC 8659, 4.1), or with what says that there is none. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

interface Caa {
  readonly flags: number;
  readonly tag: string;
  readonly value: string;
}

const CAA = 257;

export async function answersCaa({ flags, tag, value }: Caa): Promise<AsyncDisposable & { port: number }> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    // The question ends behind its name, its type and its class; what may follow (EDNS) is not answered.
    const end = query.indexOf(0, 12) + 5;
    const asked = query.readUInt16BE(end - 4);
    const data = Buffer.concat([Buffer.from([flags, tag.length]), Buffer.from(tag + value)]);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0); // the name of the question
    record.writeUInt16BE(CAA, 2);
    record.writeUInt16BE(1, 4); // IN
    record.writeUInt16BE(data.length, 10);
    const answer = Buffer.concat([query.subarray(0, end), ...(asked === CAA ? [record, data] : [])]);
    answer.writeUInt16BE(0x8180, 2); // an answer, recursion available
    answer.writeUInt16BE(asked === CAA ? 1 : 0, 6);
    answer.writeUInt32BE(0, 8);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}
