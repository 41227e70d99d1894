// Our HTTP server alone, without the command line: serve.ts HANDLER PORT
import { pathToFileURL } from "node:url";
import { serve } from "../../../src/http/mod.ts";

const [handler, port] = process.argv.slice(2);
const module = await import(pathToFileURL(handler).href);
serve({ port: Number(port), hostname: "127.0.0.1", onListen() {} }, module.default.fetch);
