import type { Rule } from "../finding.ts";
import { bytesOf, type Option, requestLimits, serverOptions } from "../server-options.ts";
import { nameOf } from "../tree.ts";
import { constant } from "../values.ts";

/** What goes wrong when a limit is taken away. The others may be "none" by their nature. */
const harms: Readonly<Record<string, string>> = {
  readHeaderTimeout:
    "a client that never finishes its request's head holds a connection for ever; a few thousand hold all of them",
  readTimeout: "a client that sends its body a byte at a time holds the request for ever",
  writeTimeout: "a handler that hangs, or a client that stops reading, holds the response and its memory for ever",
  idleTimeout: "connections that nobody uses any more are never closed, and clients that vanished stay for ever",
  maxHeaderBytes: "a client can make the server hold a head of any size",
  maxHeaderCount: "a client can make the server hold and compare any number of header fields",
  maxBodyBytes: "one client can send a body that fills the memory",
  maxConnections: "connections are accepted until descriptors or memory run out",
  drainTimeout: "one client that never ends keeps a restart waiting for ever",
};

/** No server needs to hold so much for one request: it is "none" in other words. */
const absurd: Readonly<Record<string, number>> = {
  maxHeaderBytes: 64 * 2 ** 20,
  maxBodyBytes: 64 * 2 ** 30,
  maxHeaderCount: 1e5,
};
/** Nor to wait a day for one client. */
const longest = 24 * 3600e3;

export const unlimitedOption: Rule = {
  id: "unlimited-option",
  severity: "warning",
  harm: "a limit is switched off: one client, slow or hostile, can hold what it protects for ever.",
  cure: "leave the default, or set the largest value that a real client needs; per request: info.setMaxBodyBytes(…) and its like",
  check({ project }, report) {
    for (const { options } of serverOptions(project)) for (const one of options) look(one);
    for (const one of requestLimits(project)) look(one);

    // node:http's own: server.requestTimeout = 0, server.headersTimeout = 0
    for (const file of project.files) {
      for (const node of file.of("AssignmentExpression")) {
        const name = node.left.type === "MemberExpression" ? nameOf(node.left) : undefined;
        if (name !== "requestTimeout" && name !== "headersTimeout" && name !== "keepAliveTimeout") continue;
        if (constant(node.right, file, project) === 0) report(node, file, { harm: nodeHarm(name) });
      }
    }

    function look(option: Option): void {
      const { name, key, file, value } = option;
      if ((name === "requestTimeout" || name === "headersTimeout") && value === 0)
        report(key, file, { harm: nodeHarm(name) });
      const harm = harms[name];
      if (harm === undefined || !isUnlimited(name, value)) return;
      const text = typeof value === "string" ? `"${value}"` : String(value);
      report(key, file, { harm: `${name} ${text} is no limit: ${harm}.` });
    }
  },
};

function nodeHarm(name: string): string {
  return `${name} 0 is no limit: a client that never finishes its request holds a connection for ever.`;
}

function isUnlimited(name: string, value: number | string | undefined): boolean {
  if (value === undefined) return false;
  if (value === "none" || value === 0 || value === "0" || /^infinity$/i.test(String(value))) return true;
  if (name in absurd) return (bytesOf(value) ?? 0) >= absurd[name];
  if (/Timeout$/.test(name)) {
    const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value));
    const scale = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 }[parts?.[2] ?? "ms"] ?? 1;
    return parts !== null && Number(parts[1]) * scale >= longest;
  }
  return Number(value) >= Number.MAX_SAFE_INTEGER;
}
