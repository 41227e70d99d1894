import type { Rule } from "../finding.ts";
import { calleeName } from "../names.ts";

/** Of Node's modules with calls that wait in the thread. */
const blocking =
  /^(?:Deno\.\w+Sync|node:(?:fs|child_process|zlib|crypto)#\w+Sync|(?:fs-extra|graceful-fs|cross-spawn|execa|glob|fast-glob)#(?:\w*\.)?\w*[sS]ync|Bun\.(?:spawnSync|gzipSync|gunzipSync|deflateSync|inflateSync|sleepSync)|Atomics\.wait|(?:bcrypt|bcryptjs|better-sqlite3)#\w+Sync|alert|prompt|confirm)$/;
/** They look at what is in memory, or are over in a microsecond. */
const harmless = /^(?:node:crypto#(?:generateKeyPairSync|hkdfSync|randomFillSync)|alert|prompt|confirm)$/;

export const syncCallInHandler: Rule = {
  id: "sync-call-in-handler",
  severity: "warning",
  harm: "the whole server stands still until this call returns: no other client is read, answered or timed out meanwhile.",
  cure: "the asynchronous one, awaited (node:fs/promises, Deno.readTextFile, …), or do it once at the start",
  check({ project, handlers }, report) {
    for (const file of project.files) {
      for (const call of file.of("CallExpression", "OptionalCallExpression")) {
        const name = calleeName(call, file);
        if (name === undefined || !blocking.test(name) || harmless.test(name)) continue;
        if (!handlers.includes(call, file)) continue;
        const short = name.replace(/^.*#/, "");
        report(call, file, {
          harm: `${short}() makes the whole server stand still until it returns: no other client is read, answered or timed out meanwhile.`,
          cure: instead(short),
        });
      }
    }
  },
};

function instead(name: string): string | undefined {
  if (name.startsWith("Deno.")) return `await ${name.replace(/Sync$/, "")}(…), or do it once at the start`;
  if (name === "Atomics.wait") return "await Atomics.waitAsync(…).value";
  if (/^(?:exec|execFile|spawn)Sync$/.test(name))
    return `${name.replace(/Sync$/, "")}() with a signal and a promise around it`;
  return undefined;
}
