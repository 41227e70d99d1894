/** Asks upstreams whether they are well, in turn, for those that were given a path for it. */
import { logEvent } from "../runtime/log.ts";
import type { ProxySettings } from "./options.ts";
import type { Upstream } from "./upstream.ts";
import { type Outgoing, UpstreamCall, UpstreamFailure } from "./upstream-call.ts";

/** Until `signal` aborts. Holds no process alive. */
export function watchHealth(upstreams: readonly Upstream[], settings: ProxySettings, signal: AbortSignal): void {
  const { healthPath, healthInterval } = settings;
  if (healthPath === undefined) return;
  for (const upstream of upstreams) {
    const look = async (): Promise<void> => {
      if (signal.aborted) return;
      try {
        await check(upstream, healthPath, settings);
      } catch (error) {
        logEvent("error", `proxy: the check of ${upstream.address.name} failed: ${String(error)}`);
      }
      if (!signal.aborted) setTimeout(look, healthInterval).unref();
    };
    void look();
  }
}

async function check(upstream: Upstream, path: string, { name, healthTimeout }: ProxySettings): Promise<void> {
  const outgoing: Outgoing = {
    method: "GET",
    head: ({ address }) => `GET ${path} HTTP/1.1\r\nhost: ${address.target.host}\r\nuser-agent: ${name}\r\n`,
    framing: 0,
    framingLine: "",
    takeBody: () => null,
    signal: AbortSignal.timeout(Math.min(healthTimeout, 2 ** 31 - 1)),
    trailers: undefined,
    tunnel: undefined,
  };
  const answer = await new UpstreamCall(upstream, outgoing).start(false);
  if (answer instanceof UpstreamFailure) {
    const late = answer.failing === "aborted" ? "it did not answer in time" : String((answer.error as Error).message);
    return upstream.putOut(`${path}: ${late}`);
  }
  if (answer.body !== null && !(answer.body instanceof Uint8Array)) await answer.body.openBody().cancel();
  if (answer.status >= 200 && answer.status < 400) upstream.well();
  else upstream.putOut(`${path} answers ${answer.status}`);
}
