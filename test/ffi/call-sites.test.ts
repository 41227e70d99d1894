// time limit: 240 s
import { callSites } from "./call-sites.ts";

callSites("epoll");
