/** Imported before anything else, so that it runs before anything else. */
import { installTaskSignal } from "../runtime/task-signal.ts";

installTaskSignal();
