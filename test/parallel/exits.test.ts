// Five of each, executables; SLIPWAY_RUNS makes them more, and `npm run soak -- --exits 50` has the many.
import { exits } from "./exits.ts";
import { serveExecutable } from "./support.ts";

exits("executable", serveExecutable, Number(process.env["SLIPWAY_RUNS"] ?? 5));
