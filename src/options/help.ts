/** The options as `--help` shows them, and as `--print-config` does. */
import type { ConfigEntry } from "./resolve.ts";
import { flagOf, type Group, type Option, optionTable } from "./table.ts";
import { showValue } from "./value.ts";

const titles: Readonly<Record<Group, string>> = {
  address: "Where it listens",
  protocols: "Protocols",
  limits: "Limits",
  drain: "Drain",
  threads: "Threads",
  admin: "Admin port",
  logs: "Logs",
  tls: "TLS",
  proxy: "Behind a proxy",
  websocket: "WebSockets",
  fetch: "Outgoing requests",
  tasks: "Tasks",
};

const note = `Each is also a variable (SLIPWAY_PORT, SLIPWAY_READ_TIMEOUT) and a field of the default export (port,
readTimeout); a flag comes first, then the variable, then the field. "none" is no limit; a flag without
a value is turned off by --no-….

--trust-proxy also takes the words loopback, private, linklocal, unix, and all.

Signals:
  SIGTERM, SIGINT                   drain and end; a second one ends at once
  SIGHUP                            with TLS: read the certificate again
  SIGUSR1                           print the table of tasks
  SIGUSR2                           restart without refusing a connection`;

/** Every option by group, one line each, and how else they can be given. */
export function optionsHelp(): string {
  const groups = (Object.keys(titles) as Group[]).map((group) => {
    const lines = optionTable.filter((option) => option.group === group).map(helpLine);
    return `${titles[group]}:\n${lines.join("\n")}`;
  });
  return `${groups.join("\n\n")}\n\n${note}`;
}

/** `  -p, --port <port>   …`, aligned. */
function helpLine(option: Option): string {
  const term = `${option.short === undefined ? "" : `-${option.short}, `}--${flagOf(option)}${placeholder(option)}`;
  return `  ${term.padEnd(33)} ${option.says}${defaultOf(option)}`;
}

/** ` <port>`; nothing for a flag. */
export function placeholder(option: Option): string {
  switch (option.kind) {
    case "flag":
      return "";
    case "text":
    case "list":
      return ` <${option.value}>`;
    case "choice":
      return ` <${option.choices.join("|")}>`;
    case "count":
      return " <n>";
    case "duration":
      return " <time>";
    default:
      return ` <${option.kind}>`;
  }
}

function defaultOf(option: Option): string {
  if (option.kind === "flag" || option.kind === "list" || option.default === undefined) return "";
  return ` (${showValue(option, option.default)})`;
}

/** Aligned text: name, value, where it came from. */
export function showConfig(entries: readonly ConfigEntry[]): string {
  const name = Math.max(...entries.map((entry) => entry.name.length));
  const value = Math.min(40, Math.max(...entries.map((entry) => entry.value.length)));
  return entries
    .map((entry) => {
      const place = entry.from === undefined ? entry.source : `${entry.source} ${entry.from}`;
      return `${entry.name.padEnd(name)}  ${entry.value.padEnd(value)}  ${place}\n`;
    })
    .join("");
}
