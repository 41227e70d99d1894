import { faultsOn } from "./faults.ts";
import { READINESS } from "./faulty-system.ts";

faultsOn(READINESS);
