/** One message to many sockets: it is written down once, and compressed once for each size of window that they have. */
import { deflateAlone } from "./compression.ts";
import { OPEN } from "./connection.ts";
import { BINARY, FIN, RSV1, TEXT, wholeFrame } from "./frames.ts";
import { connectionOf, toMessage, waitsForBlob } from "./socket.ts";

/**
 * Sends `data` to each of the sockets that is open, and returns how many those were.
 *
 * A socket that keeps a window is sent what was compressed without it, which any receiver understands; both windows then
 * go on as if it had been sent by `send` (RFC 7692, 7.2.1 and 7.2.2 bind no message to use its window).
 */
export function broadcast(sockets: Iterable<WebSocket>, data: string | ArrayBufferLike | ArrayBufferView): number {
  const message = toMessage(data);
  const opcode = typeof message === "string" ? TEXT : BINARY;
  const bytes = typeof message === "string" ? Buffer.from(message, "utf8") : message;
  let plain: Uint8Array | undefined;
  const compressed = new Map<number, Uint8Array>();
  let sent = 0;
  for (const socket of sockets) {
    const connection = connectionOf(socket);
    if (connection === undefined) throw new TypeError("broadcast takes sockets of upgradeWebSocket");
    if (connection.state !== OPEN) continue;
    sent++;
    const { compression } = connection;
    if (waitsForBlob(socket)) socket.send(data as string);
    else if (compression?.worthwhile(bytes.length)) {
      const { serverBits } = compression.agreement;
      let frame = compressed.get(serverBits);
      if (frame === undefined) {
        frame = wholeFrame(FIN | RSV1 | opcode, deflateAlone(bytes, serverBits));
        compressed.set(serverBits, frame);
      }
      compression.sentToMany(bytes);
      connection.sendPrepared(frame);
    } else connection.sendPrepared((plain ??= wholeFrame(FIN | opcode, bytes)));
  }
  return sent;
}
