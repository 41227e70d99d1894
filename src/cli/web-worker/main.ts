/** What a web worker's thread starts from, where our sources, or the npm package's files, lie on the disk. */
import { runWebWorker } from "./thread.ts";

await runWebWorker();
