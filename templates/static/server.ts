// Serves the files of public/.
import { serveDir } from "slipway";
import { site } from "./site.ts";

export default {
  fetch(request: Request): Promise<Response> {
    return serveDir(request, site);
  },
};
