// One of each, from source.
import { exits } from "./exits.ts";
import { serve } from "./support.ts";

exits("from source", serve, 1);
