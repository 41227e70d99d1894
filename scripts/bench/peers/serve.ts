// Our HTTP server alone, without the command line: serve.ts HANDLER PORT
import { pathToFileURL } from "node:url";
import { install } from "../../../src/fetch/mod.ts";
import { serve } from "../../../src/http/mod.ts";

install(() => import("../../../src/client/mod.ts")); // before the handler loads, as the command line does
const [handler, port] = process.argv.slice(2);
const module = await import(pathToFileURL(handler).href);
serve({ port: Number(port), hostname: "127.0.0.1", onListen() {} }, module.default.fetch);
