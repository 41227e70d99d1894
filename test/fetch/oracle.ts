/**
 * Holds our classes against the host's: the same call on both must give the same value or the same class of error.
 * The native classes are taken here, before anything installs ours.
 */
import * as light from "../../src/fetch/mod.ts";

export interface Classes {
  readonly Request: typeof globalThis.Request;
  readonly Response: typeof globalThis.Response;
  readonly Headers: typeof globalThis.Headers;
}

export interface Call {
  readonly name: string;
  readonly call: (classes: Classes) => unknown;
  /** Why ours answers otherwise than Node here; the test then insists on the difference. */
  readonly differs?: string;
}

export const native: Classes = {
  Request: globalThis.Request,
  Response: globalThis.Response,
  Headers: globalThis.Headers,
};

export const ours = { Request: light.Request, Response: light.Response, Headers: light.Headers } as unknown as Classes;

/** What a call came to, as plain data. */
export async function outcome(call: Call, classes: Classes): Promise<unknown> {
  try {
    return { value: await plain(await call.call(classes)) };
  } catch (error) {
    const name =
      error instanceof DOMException ? `DOMException ${error.name}` : String((error as Error)?.constructor?.name);
    return { throws: name };
  }
}

async function plain(value: unknown): Promise<unknown> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  if (typeof value === "function") return `function ${value.name} ${value.length}`;
  if (value instanceof Uint8Array) return { bytes: [...value], kind: value.constructor.name };
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] };
  if (value instanceof Blob) return { blob: await value.text(), type: value.type };
  if (value instanceof ReadableStream) return { stream: true, locked: value.locked };
  if (value instanceof AbortSignal) return { aborted: value.aborted, reason: String(value.reason) };
  if (value instanceof FormData) return { form: await Promise.all([...value].map(plain)) };
  if (value instanceof URL) return value.href;
  switch (Object.prototype.toString.call(value)) {
    case "[object Headers]":
      return { headers: [...(value as Headers)] };
    case "[object Response]": {
      const { status, statusText, ok, type, url, redirected, bodyUsed, headers, body } = value as Response;
      return { status, statusText, ok, type, url, redirected, bodyUsed, headers: [...headers], body: body !== null };
    }
    case "[object Request]": {
      const { method, url, bodyUsed, headers, body, mode, cache, credentials, redirect } = value as Request;
      const { integrity, keepalive, referrer, referrerPolicy, destination } = value as Request;
      const rest = { mode, cache, credentials, redirect, integrity, keepalive, referrer, referrerPolicy, destination };
      return { method, url, bodyUsed, headers: [...headers], body: body !== null, ...rest };
    }
  }
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  const entries = Object.entries(value).map(async ([key, item]) => [key, await plain(item)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** A label for a value of a table: readable, and the same each time. */
export function label(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 24 ? `${value.slice(0, 24)}…` : value);
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) !== Object.prototype) {
    return Array.isArray(value) ? `[${value.map(label).join(", ")}]` : String(value.constructor?.name);
  }
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
