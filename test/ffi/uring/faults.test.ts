import { faultsOn } from "../faults.ts";
import { faultsRefused } from "./support.ts";

faultsOn("uring", faultsRefused);
