// Twenty of each, executables.
import { exits } from "./exits.ts";
import { serveExecutable } from "./support.ts";

exits("executable", serveExecutable, 20);
