/** Asks the admin port as strangers may: any Host, any method, over TCP or a Unix socket. By node:http, not by ours. */
import { request } from "node:http";
import { type Admin, type AdminSettings, openAdmin } from "../../../src/admin/mod.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `target` is a port of 127.0.0.1, or the path of a Unix socket. */
export function ask(target: number | string, path: string, { method, headers, body }: Asking = {}): Promise<Answer> {
  const where = typeof target === "number" ? { host: "127.0.0.1", port: target } : { socketPath: target };
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path, method, headers, agent: false, timeout: 20_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on("error", reject);
    });
    asked.on("timeout", () => asked.destroy(new Error(`no answer to ${path}`)));
    asked.on("error", reject);
    asked.end(body);
  });
}

/** An admin port for the length of a test. */
export interface TestAdmin extends AsyncDisposable {
  readonly admin: Admin;
  readonly port: number;
  get(path: string, asking?: Asking): Promise<Answer>;
}

export async function open(settings: Partial<AdminSettings> = {}): Promise<TestAdmin> {
  const admin = await openAdmin({ address: "127.0.0.1:0", insecure: false, config: () => [], ...settings });
  const port = "port" in admin.addr ? admin.addr.port : 0;
  return {
    admin,
    port,
    get: (path, asking) => ask(port, path, asking),
    [Symbol.asyncDispose]: () => admin.close(),
  };
}
