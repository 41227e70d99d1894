/**
 * Of Hono's types what an API needs, by hand. `npm install hono` and `import { Hono } from "hono"` bring all of them,
 * with the types of parameters and of the client.
 */

type Answer = Response | Promise<Response>;

export interface HonoRequest {
  readonly raw: Request;
  readonly url: string;
  readonly method: string;
  readonly path: string;
  param(name: string): string;
  query(name: string): string | undefined;
  query(): Record<string, string>;
  header(name: string): string | undefined;
  json(): Promise<unknown>;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export interface Context {
  readonly req: HonoRequest;
  /** What is to be answered, in middleware behind `await next()`. */
  res: Response;
  readonly error: Error | undefined;
  text(text: string, status?: number, headers?: Record<string, string>): Response;
  json(value: unknown, status?: number, headers?: Record<string, string>): Response;
  html(html: string, status?: number, headers?: Record<string, string>): Response;
  body(data: string | ArrayBuffer | ReadableStream | null, status?: number, headers?: Record<string, string>): Response;
  redirect(location: string, status?: number): Response;
  header(name: string, value?: string): void;
  status(status: number): void;
  set(name: string, value: unknown): void;
  get(name: string): unknown;
}

/** Middleware awaits `next()`, and may answer nothing. */
export type Handler = (c: Context, next: () => Promise<void>) => Answer | undefined | Promise<Response | undefined>;

export declare class Hono {
  constructor(options?: { strict?: boolean });
  get(path: string, ...handlers: Handler[]): this;
  post(path: string, ...handlers: Handler[]): this;
  put(path: string, ...handlers: Handler[]): this;
  patch(path: string, ...handlers: Handler[]): this;
  delete(path: string, ...handlers: Handler[]): this;
  on(method: string | string[], path: string | string[], ...handlers: Handler[]): this;
  all(path: string, ...handlers: Handler[]): this;
  use(...handlers: Handler[]): this;
  use(path: string, ...handlers: Handler[]): this;
  route(path: string, app: Hono): this;
  basePath(path: string): Hono;
  notFound(handler: Handler): this;
  onError(handler: (error: Error, c: Context) => Answer): this;
  readonly fetch: (request: Request) => Answer;
  /** For tests: a request without a network. */
  request(path: string | Request, init?: RequestInit): Answer;
}
