import { listenTls } from "../../../src/mod.ts";

listenTls({ port: 0, cert: "any", key: "any" });
