// time limit: 240 s
import { callSites } from "./call-sites.ts";
import { READINESS } from "./faulty-system.ts";

callSites(READINESS);
