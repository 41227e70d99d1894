import type { Rule } from "../finding.ts";
import type { SourceFile } from "../source.ts";
import { type Node, nameOf, textOf, unwrap } from "../tree.ts";

/** Tokens that say themselves what they are. */
const shapes: readonly [RegExp, string][] = [
  // With a key in it, in one literal or several: the line alone is what code writes around a key that it has.
  [/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|["'`+,\s])*[A-Za-z0-9+/]{4,}/, "a private key"],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/, "an AWS access key"],
  [/\bgh[pousr]_[A-Za-z0-9]{36,}\b/, "a GitHub token"],
  [/\bgithub_pat_[A-Za-z0-9_]{40,}\b/, "a GitHub token"],
  [/\bglpat-[A-Za-z0-9_-]{20,}/, "a GitLab token"],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,}/, "a Slack token"],
  [/https:\/\/hooks\.slack\.com\/services\/T\w+\/B\w+\/\w{16,}/, "a Slack webhook"],
  [/\b(?:sk|rk)_live_[A-Za-z0-9]{16,}\b/, "a Stripe key"],
  [/\bwhsec_[A-Za-z0-9+/=]{24,}/, "a webhook's signing secret"],
  [/\bAIza[0-9A-Za-z_-]{35}\b/, "a Google API key"],
  [/\bsk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,}/, "an API key"],
  [/\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}/, "a SendGrid key"],
  [/\bnpm_[A-Za-z0-9]{36}\b/, "an npm token"],
  [/\bdop_v1_[a-f0-9]{64}\b/, "a DigitalOcean token"],
  [/\bhf_[A-Za-z0-9]{30,}\b/, "a Hugging Face token"],
  [/\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/, "a signed token (JWT)"],
];

/** `postgres://user:password@host` */
const credentials = /\b[a-z][a-z0-9+.-]{2,}:\/\/[^\s:/@"'`]*:([^\s/@"'`]{3,})@([^\s/:"'`?]+)/i;

const secretName =
  /(?:pass(?:word|wd|phrase)|passwd|secret|api_?key|apikey|access_?key|private_?key|signing_?key|encryption_?key|auth_?token|access_?token|bearer|client_?secret|credential|(?:^|_)token$|Token$|^token$|(?:^|_)pwd$)/i;
/** Names with such a word that hold something else. */
const harmlessName =
  /(?:name|field|header|label|url|uri|path|type|prefix|regexp?|pattern|selector|placeholder|length|version|error|message|hint|cookie|param|id|column|key_?name|endpoint|env|expires?\w*|ttl|issuer|algorithm|public\w*)$/i;

const placeholder =
  /^(?:.*(?:example|placeholder|change[-_ ]?me|changeit|replace|your[-_ ]|<.*>|\$\{|\{\{|xxx|\.\.\.|…|dummy|sample|redacted|insert|to[-_]?do|secret[-_ ]?here|not[-_ ]?a[-_ ]?real|insecure|fake|demo).*|x+|\*+|test\w*|(?:my|the|a|super|very|some|top)?[-_ ]*(?:secret|password|passw0rd|token|key|pass|api[-_]?key)\d{0,3}|default|none|null|undefined|development|localhost|foo\w*|bar\w*|admin|root|guest|user)$/i;

export const secretInSource: Rule = {
  id: "secret-in-source",
  severity: "error",
  harm: "whoever reads this file, its history or the executable made of it has the secret, and changing it means a new release.",
  cure: "take it from the environment (Deno.env.get, process.env) or a file that is mounted, and replace this one now: it is known",
  check({ project }, report) {
    for (const file of project.files) {
      const seen = new Set<number>();
      for (const node of file.of("StringLiteral", "TemplateLiteral")) {
        const text = node.type === "StringLiteral" ? node.value : node.quasis.map(({ value }) => value.raw).join("{}");
        const pem = text.includes("PRIVATE KEY") ? recognised(file.slice(file.parent(node) ?? node)) : undefined;
        const what = recognised(text) ?? pem ?? (named(node, file) && isSecret(textOf(node)) ? "a secret" : undefined);
        const line = node.loc?.start.line ?? 0;
        if (what === undefined || seen.has(line)) continue;
        seen.add(line);
        report(node, file, {
          harm: `${what} stands in the source: whoever reads this file, its history or the executable made of it has it, and changing it means a new release.`,
        });
      }
    }
  },
};

function recognised(text: string): string | undefined {
  for (const [shape, what] of shapes) {
    const found = shape.exec(text)?.[0];
    if (found !== undefined && (/^A[KS]IA/.test(found) || !isFiller(found))) return what;
  }
  const [, password = "", host = ""] = credentials.exec(text) ?? [];
  if (password === "" || /\$\{|^\$/.test(password) || placeholder.test(password)) return undefined;
  if (/^(?:localhost|127\.|\[?::1|example\.|.*\.example(?:\.|$)|host$|db$|postgres$|mysql$|redis$|mongo$)/i.test(host))
    return undefined;
  return "a password in a URL";
}

/** `AKIAIOSFODNN7EXAMPLE`, `sk_live_xxxxxxxxxxxxxxxx`: documentation, no secret. */
function isFiller(text: string): boolean {
  return /example|x{6,}|\.{3}|0{8,}|1{8,}|your|placeholder|dummy|redacted/i.test(text);
}

/** Given to something that is called like a secret: a variable, a member, a parameter's default, a fallback. */
function named(node: Node, file: SourceFile): boolean {
  let at = node;
  for (let above = file.parent(at); above !== undefined; at = above, above = file.parent(at)) {
    switch (above.type) {
      case "LogicalExpression":
        // process.env.SECRET ?? "…": the fallback is what runs when somebody forgets.
        if (above.right !== at || above.operator === "&&") return false;
        continue;
      case "TSAsExpression":
      case "TSSatisfiesExpression":
        continue;
      case "VariableDeclarator":
        return above.init === at && above.id.type === "Identifier" && isSecretName(above.id.name);
      case "AssignmentPattern":
        return above.right === at && above.left.type === "Identifier" && isSecretName(above.left.name);
      case "AssignmentExpression":
        return above.right === at && isSecretName(lastName(above.left));
      case "ObjectProperty":
      case "ClassProperty":
        return above.value === at && isSecretName(nameOf(above) ?? "");
      case "ClassPrivateProperty":
        return above.value === at && isSecretName(above.key.id.name);
      default:
        return false;
    }
  }
  return false;
}

function lastName(node: Node): string {
  const bare = unwrap(node);
  return bare.type === "Identifier" ? bare.name : (nameOf(bare) ?? "");
}

function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}

/** Not a word, a sentence or a placeholder: letters and digits mixed, or long and without pattern. */
function isSecret(text: string | undefined): boolean {
  if (text === undefined || text.length < 7 || /\s/.test(text) || placeholder.test(text) || isFiller(text))
    return false;
  if (/^(?:https?:|\/|\.|#)|^[a-z]+(?:[-_.:][a-z]+)*$|^[A-Z]+(?:_[A-Z]+)*$|^[a-z]+(?:[A-Z][a-z]+)*$/.test(text))
    return false;
  const mixed = /\d/.test(text) && /[a-z]/i.test(text);
  return (mixed && entropy(text) >= 2.5) || (text.length >= 20 && entropy(text) >= 3.5);
}

/** Shannon's, in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const one of text) counts.set(one, (counts.get(one) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
