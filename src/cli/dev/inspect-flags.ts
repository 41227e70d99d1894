/** `--inspect`, `--inspect-wait` and `--inspect-brk`, as Node has them: `=host:port`, each half with a default. */
import { UsageError } from "../errors.ts";

export interface Inspect {
  readonly host: string;
  readonly port: number;
  /** Until a debugger has come, nothing of the program runs. */
  readonly wait: boolean;
  /** It stops before its first line. */
  readonly stop: boolean;
}

export interface InspectFlags {
  readonly inspect?: boolean;
  readonly inspectWait?: boolean;
  readonly inspectBrk?: boolean;
  readonly inspectAddress?: string;
}

const HOST = "127.0.0.1";
const PORT = 9229;

export function inspectAsked(flags: InspectFlags): Inspect | undefined {
  const { inspect, inspectWait, inspectBrk, inspectAddress = "" } = flags;
  const stop = inspectBrk === true;
  const wait = stop || inspectWait === true;
  if (inspect !== true && !wait) return undefined;
  return { ...addressOf(inspectAddress), wait, stop };
}

/** `9230`, `:9230`, `localhost`, `localhost:9230`, `[::1]:9230`; port 0 is any free one. */
function addressOf(text: string): { host: string; port: number } {
  if (text === "") return { host: HOST, port: PORT };
  const match = /^(?:(\[[\da-f:.]+\]|[^:]*):)?(\d{1,5})$|^(\[[\da-f:.]+\]|[^:\d][^:]*|\d+(?:\.\d+){3})$/i.exec(text);
  const [, before, digits, alone] = match ?? [];
  const port = digits === undefined ? PORT : Number(digits);
  if (match === null || port > 65535) {
    throw new UsageError(`--inspect=${text}: write host:port, a port or a host, as in --inspect=127.0.0.1:9230`);
  }
  return { host: (before || alone || HOST).replace(/^\[|\]$/g, ""), port };
}
