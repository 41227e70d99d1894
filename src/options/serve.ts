/**
 * What a program passes to `Deno.serve` that looks like an option and is none, or says something else than was meant:
 * warned about as in `export default`, for the same reasons.
 */
import { nearest } from "./nearest.ts";
import { doubtAbout, isPlain } from "./resolve.ts";
import { flagOf, limitTable, type Option, optionTable, variableOf } from "./table.ts";
import { meantBy } from "./unknown.ts";

const functions = ["handler", "onListen", "onError", "limits"];
/** What is no limit, and is read. */
const known = new Set(
  functions.concat(
    ["hostname", "port", "path", "proxyProtocol", "trustProxy", "transport", "listener", "signal", "h2c", "compress"],
    ["reusePort", "backlog", "tcpBacklog", "counters", "automaticCompression", "cert", "key", "passphrase", "tls"],
  ),
);

const options: readonly Option[] = [
  ...limitTable,
  ...optionTable.filter(({ name }) =>
    ["port", "hostname", "h2c", "compress", "proxyProtocol", "trustProxy"].includes(name),
  ),
];

/** One line each. `beaten`: limits that a flag or a variable names, where what the program says does not hold. */
export function serveWarnings(given: object, beaten: object): string[] {
  if (!isPlain(given)) return [];
  const lines: string[] = [];
  const free: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.has(name)) continue;
    const option = optionTable.find((one) => one.name === name);
    if (option === undefined) {
      const meant = meantBy(name, value, options, functions, nearest);
      if (meant !== undefined)
        lines.push(`Deno.serve: '${name}' is no option (did you mean ${meant}?): it changes nothing`);
    } else if (!limitTable.some((limit) => limit.name === name)) {
      const instead = `give --${flagOf(option)}, or ${variableOf(option)} in the environment`;
      lines.push(
        name === "unix"
          ? "Deno.serve: 'unix' is no option (did you mean path?): it changes nothing"
          : `Deno.serve: '${name}' is no option of a single server and changes nothing: ${instead}`,
      );
    } else if (!Object.hasOwn(beaten, name)) {
      const doubt = doubtAbout(option, value, `${name} of Deno.serve`);
      if (doubt !== undefined) lines.push(doubt);
      if (typeof value === "string" && value.trim().toLowerCase() === "none") free.push(name);
    }
  }
  if (free.length > 0) lines.push(`no limit, because it is "none": ${free.join(", ")} (Deno.serve)`);
  return lines;
}
