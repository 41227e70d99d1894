/**
 * Between a request's head and its handler: what proxies say of it, its id, its own limits, and whether its body may
 * come at all.
 */
import type { Handle } from "../../ffi/poller.ts";
import { HeadFields } from "../fetch/head.ts";
import type { ProxyGate } from "../net/proxy-gate.ts";
import type { Ranges } from "../net/trust.ts";
import type { Exchange } from "./exchange.ts";
import { readForwarded } from "./forwarded.ts";
import type { Limits } from "./limits.ts";
import { observer } from "./observer.ts";
import { bodyRefused, headRefused, type Refusal } from "./refusals.ts";
import { applyHook, type LimitsHook } from "./request-limits.ts";

export interface AdmitSettings {
  readonly limits: Limits;
  readonly limitsHook: LimitsHook | undefined;
  /** Whose fields about clients are believed. */
  readonly believed: Ranges | undefined;
  /** What proxies said when their connections began. */
  readonly gate: ProxyGate | undefined;
}

export class Admit {
  readonly #settings: AdmitSettings;
  /** Every request is looked at here, so that each needs an exchange. */
  readonly needed: boolean;

  constructor(settings: AdmitSettings) {
    this.#settings = settings;
    this.needed = settings.limitsHook !== undefined || settings.believed !== undefined;
  }

  /**
   * `length` is the Content-Length, `watched` says that requests have ids. Throws what the limits hook throws, which is
   * the handler's failure.
   */
  admit(exchange: Exchange, handle: Handle, length: number, watched: boolean): Refusal | undefined {
    const { limits, limitsHook, believed } = this.#settings;
    if (believed !== undefined) {
      const contradiction = this.#follow(exchange, handle, believed);
      if (contradiction !== undefined) return headRefused(400, contradiction);
    }
    if (watched) exchange.requestId = observer?.requestId(exchange.head, exchange.fieldsStart);
    if (limitsHook !== undefined) applyHook(limitsHook, exchange);
    const most = exchange.limits?.maxBodyBytes ?? limits.maxBodyBytes;
    return length > most ? bodyRefused(most) : undefined;
  }

  /** Takes over what proxies say of the request; gives why it can't be told whom to believe. */
  #follow(exchange: Exchange, handle: Handle, believed: Ranges): string | undefined {
    // Behind a proxy that does not know its client, the fields are whoever's.
    const { clients } = this.#settings.gate ?? {};
    if (clients?.has(handle) && clients.get(handle) === undefined) return undefined;
    const fields = new HeadFields(exchange.head, exchange.fieldsStart);
    const peer = exchange.remoteAddress;
    const forwarded = readForwarded((name) => fields.get(name), peer, believed);
    if (typeof forwarded === "string") return forwarded;
    exchange.forwarded(forwarded, believed.hasPeer(peer));
    return undefined;
  }
}
