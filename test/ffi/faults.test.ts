import { faultsOn } from "./faults.ts";

faultsOn("epoll");
