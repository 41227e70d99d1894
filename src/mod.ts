/** Slipway as a library: sockets, an HTTP server, tasks, and light Request, Response and Headers. */
export * from "./fetch/mod.ts";
export * from "./http/mod.ts";
export * from "./net/mod.ts";
export { errors } from "./runtime/errors.ts";
export { go, Task, taskCount, tasks } from "./runtime/mod.ts";
