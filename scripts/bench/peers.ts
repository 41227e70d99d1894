// Who is compared: all peers by name, and a server of one's own.
import { type Peer, writeHandler } from "./peer.ts";
import { others } from "./peers-others.ts";
import { ours } from "./peers-ours.ts";

export const peers: readonly Peer[] = [...ours, ...others];

/** Who is asked when nobody is named. */
export const usualPeers: readonly string[] = ["slipway", "node", "deno", "bun", "go", "c", "c-uring"];
/** Of those that a question has: the nearest, and whom its table compares with. */
export function quickPeers(usual: readonly string[], against: readonly string[] = ["deno", "c"]): string[] {
  return usual.filter((name) => /^slipway(-2)?$/.test(name) || against.includes(name));
}

/** `name=command`: a server of one's own, with `{port}` and perhaps `{handler}` (a module with a fetch export). */
export function commandPeer(spec: string): Peer {
  const at = spec.indexOf("=");
  const name = spec.slice(0, at);
  const line = spec.slice(at + 1);
  if (at < 1 || !line.includes("{port}")) throw new Error(`--cmd ${spec}: write name='command with {port}'`);
  return {
    name,
    launch(handlers, directory) {
      const handler = writeHandler(handlers, directory);
      return {
        command: (port) => ["sh", "-c", line.replaceAll("{port}", String(port)).replaceAll("{handler}", handler)],
      };
    },
  };
}

/** The peers asked for, in the order given; an unknown name says which there are. */
export function choosePeers(names: readonly string[]): Peer[] {
  return names.map((name) => {
    const peer = peers.find((candidate) => candidate.name === name);
    if (!peer) throw new Error(`no peer is called ${name}; there are ${peers.map((each) => each.name).join(", ")}`);
    return peer;
  });
}
