/** What a worker thread of `slipway run` starts from, where our sources, or the npm package's files, lie on the disk. */
import { runWorker } from "./worker.ts";

await runWorker();
