import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import type { Place } from "../project.ts";
import { serverOptions } from "../server-options.ts";
import { isCall, isFunction, isMember, methodOf, type Node, nameOf, unwrap } from "../tree.ts";
import { constant, memberOf } from "../values.ts";

const inward = /^(?:127\.|localhost\b|\[?::1\]?|unix:|\/|fd:)/;
/** What operators call the listener that is for them alone. */
const operators = /admin|metric|debug|internal|diagnos|health|prof/i;
/** Ports that are an admin port by what is usually there: Prometheus exporters, the inspector, pprof. */
const everywhere = /^(?:0\.0\.0\.0|::|\[::\]|0|\*)?$/;

export const adminOnAllInterfaces: Rule = {
  id: "admin-on-all-interfaces",
  severity: "error",
  harm: "whoever reaches this machine reads metrics, tasks and configuration, or worse: the admin port listens on every interface.",
  cure: 'admin: "127.0.0.1:9090", or a Unix socket: "unix:/run/app-admin.sock"',
  check({ project }, report) {
    const servers = serverOptions(project);
    for (const { options, place } of servers) {
      for (const { name, key, file, value } of options) {
        if (name === "adminInsecure" && key.type === "ObjectProperty" && unwrap(key.value).type === "BooleanLiteral") {
          if ((unwrap(key.value) as { value?: unknown }).value === true) report(key, file);
        }
        if (name === "admin" && value !== undefined && !isInward(value)) report(key, file);
      }
      const host = options.find(({ name }) => name === "hostname" || name === "host");
      // Where no address is named, a second server is what shows that the first is not the public one.
      if (isCall(place.node) && (servers.length > 1 || host !== undefined) && isForOperators(place)) {
        const elsewhere = options.some(({ name }) => name === "path" || name === "unix");
        const open = host === undefined || (host.value !== undefined && everywhere.test(String(host.value)));
        if (open && !elsewhere)
          report(host?.key ?? place.node, host?.file ?? place.file, { cure: 'hostname: "127.0.0.1"' });
      }
    }
    for (const file of project.files) {
      for (const call of file.of("CallExpression")) {
        const name = calleeName(call, file);
        if (name === "node:inspector#open" || name === "node:inspector/promises#open") {
          const host = call.arguments[1];
          const value = host === undefined ? "127.0.0.1" : constant(host, file, project);
          if (value !== undefined && everywhere.test(String(value))) {
            report(call, file, {
              harm: "whoever reaches this machine can run code in this process: the inspector listens on every interface.",
              cure: 'inspector.open(9229, "127.0.0.1")',
            });
          }
          continue;
        }
        // adminServer.listen(9090), metricsApp.listen(9090, "0.0.0.0")
        const method = methodOf(call);
        if (
          method?.method !== "listen" ||
          method.receiver.type !== "Identifier" ||
          !operators.test(method.receiver.name)
        )
          continue;
        const [first, second] = call.arguments;
        if (first === undefined) continue;
        const options = project.definition(first, file);
        const given =
          options.node.type === "ObjectExpression"
            ? memberOf(options, "host", project)
            : second && !isFunction(second)
              ? { node: second, file }
              : undefined;
        if (
          given === "unknown" ||
          (options.node.type === "ObjectExpression" && memberOf(options, "path", project) !== undefined)
        )
          continue;
        const host = given === undefined ? "" : constant(given.node, given.file, project);
        if (typeof constant(first, file, project) === "string" && !/^\d+$/.test(String(constant(first, file, project))))
          continue;
        if (host !== undefined && everywhere.test(String(host)))
          report(call, file, { cure: `${method.receiver.name}.listen(port, "127.0.0.1")` });
      }
    }

    function isForOperators({ node, file }: Place): boolean {
      if (!isCall(node)) return false;
      const above = file.parent(node);
      const named = above?.type === "VariableDeclarator" ? file.slice(above.id) : "";
      return operators.test(named) || node.arguments.some((one) => operators.test(handlerName(one)));
    }

    function handlerName(node: Node): string {
      const bare = unwrap(node);
      if (bare.type === "Identifier") return bare.name;
      if (isMember(bare)) return `${handlerName(bare.object)}.${nameOf(bare) ?? ""}`;
      if (bare.type !== "ObjectExpression") return "";
      for (const one of bare.properties) {
        if (one.type !== "ObjectProperty" || !/^(?:port|fetch|handler)$/.test(nameOf(one) ?? "")) continue;
        if (operators.test(handlerName(one.value))) return handlerName(one.value);
      }
      return "";
    }
  },
};

/** An address that only this machine reaches. A port alone is taken to mean every interface, as `--listen :9090` does. */
function isInward(value: number | string): boolean {
  if (typeof value === "number") return true;
  const text = value.trim();
  return text === "" || /^(?:off|none|\d+)$/.test(text) || inward.test(text.replace(/^https?:\/\//, ""));
}
