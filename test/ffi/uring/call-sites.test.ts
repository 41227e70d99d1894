// time limit: 240 s
import { callSites } from "../call-sites.ts";
import { faultsRefused } from "./support.ts";

callSites("uring", faultsRefused);
