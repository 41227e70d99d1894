import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";
import { isMember, methodOf, type Node, textOf, unwrap } from "../tree.ts";
import { memberOf } from "../values.ts";

const headers =
  /^(?:forwarded|x-forwarded-(?:for|host|proto|port|prefix|server)|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip|fastly-client-ip|x-original-(?:host|forwarded-for))$/i;

export const forwardedHeader: Rule = {
  id: "forwarded-header",
  severity: "warning",
  harm: "any client can send this header: addresses in logs, rate limits and access rules that go by it are whatever the client says.",
  cure: "info.remoteAddr, with --trust-proxy naming your proxies: Slipway then reads the header from them alone",
  check({ project }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression", "OptionalCallExpression")) {
        const callee = unwrap(call.callee);
        const name = methodOf(call)?.method ?? (callee.type === "Identifier" ? callee.name : "");
        const read = /^(?:get|header|getHeader|getRequestHeader|getHeaders|getAll|param)$/.test(name);
        if (read && call.arguments.length <= 2) {
          // c.header(name, value) of Hono writes to the response; get(event, name) of h3 reads.
          const writes = name === "header" && call.arguments.length === 2;
          const named = call.arguments.find((one) => headers.test(value(one, file)));
          if (named !== undefined && !writes && !isTheirOwn(call)) report(call, file);
        }
        // Express: app.set("trust proxy", true) believes whoever connects.
        const [setting, believed] = call.arguments;
        if (name === "set" && textOf(setting) === "trust proxy" && believed && isTrue(believed)) report(call, file);
        // h3: getRequestIP(event, { xForwardedFor: true })
        const options = call.arguments[1];
        if (
          /^getRequest(?:IP|Host|Protocol|URL)$/.test((calleeName(call, file) ?? name).replace(/^.*[#.]/, "")) &&
          options
        ) {
          const place = project.definition(options, file);
          for (const key of ["xForwardedFor", "xForwardedHost", "xForwardedProto"]) {
            const found = place.node.type === "ObjectExpression" ? memberOf(place, key, project) : undefined;
            if (found !== undefined && found !== "unknown" && isTrue(found.node)) report(call, file);
          }
        }
      }
      for (const node of file.of("MemberExpression", "OptionalMemberExpression")) {
        if (!node.computed || !headers.test(value(node.property, file))) continue;
        if (!/headers?\)?$/i.test(file.slice(unwrap(node.object)).replace(/[?!]$/, ""))) continue;
        const above = file.parent(node);
        if (above?.type === "AssignmentExpression" && above.left === node) continue;
        if (above?.type === "UnaryExpression" && above.operator === "delete") continue;
        report(node, file);
      }
      // const { "x-forwarded-for": client } = request.headers
      for (const pattern of file.of("ObjectPattern")) {
        for (const one of pattern.properties) {
          if (one.type === "ObjectProperty" && one.key.type === "StringLiteral" && headers.test(one.key.value))
            report(one, file);
        }
      }
    }

    function value(node: Node, file: (typeof project.files)[number]): string {
      return textOf(project.definition(node, file).node) ?? "";
    }
  },
};

function isTrue(node: Node): boolean {
  const bare = unwrap(node);
  return bare.type === "BooleanLiteral" && bare.value;
}

/** What a response says, which came from our own upstream: response.headers.get(…). */
function isTheirOwn(call: Node): boolean {
  const receiver = methodOf(call)?.receiver;
  if (receiver === undefined || !isMember(receiver)) return false;
  const owner = unwrap(receiver.object);
  return owner.type === "Identifier" && /^(?:res|response|\w+Response)$/.test(owner.name);
}
