/** The runtime floor: the turn, deadlines, tasks and errors. */
export { errors } from "./errors.ts";
export { type GoOptions, go, Task, taskCount, tasks } from "./tasks.ts";
export { runtime, runtimeStarted } from "./turn.ts";
