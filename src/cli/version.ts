/**
 * `slipway version`: what this is, and with --verbose everything a bug report needs.
 */
import manifest from "../../package.json" with { type: "json" };

/** Slipway's own version. */
export const version: string = manifest.version;

/** Prints one line, or all the parts: a line for each, or as JSON. */
export async function printVersion(form: "plain" | "verbose" | "json"): Promise<void> {
  if (form === "plain") {
    process.stdout.write(`slipway ${version}\n`);
    return;
  }
  const parts = await versions();
  if (form === "json") {
    process.stdout.write(`${JSON.stringify(Object.fromEntries(parts), undefined, 2)}\n`);
    return;
  }
  const width = Math.max(...parts.map(([name]) => name.length));
  process.stdout.write(parts.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join(""));
}

/** Everything a bug report needs to know of what this is. */
export async function versions(): Promise<[string, string][]> {
  const { arch, platform, versions } = process;
  const { release } = await import("node:os");
  return [
    ["slipway", version],
    ["poller", await describePoller()],
    ["node", versions.node],
    ["v8", versions.v8],
    ["koffi", manifest.dependencies.koffi],
    ["esbuild", manifest.dependencies.esbuild],
    ["system", `${platform}-${arch}, kernel ${release()}`],
    ["program", process.getBuiltinModule("node:sea").isSea() ? process.execPath : "from source"],
  ];
}

/** Opens the poller for real: only that tells what works here. */
async function describePoller(): Promise<string> {
  const { openPoller } = await import("../../ffi/poller.ts");
  try {
    const { poller, refused } = openPoller();
    poller.dispose();
    const why = process.env.SLIPWAY_POLLER ? "because SLIPWAY_POLLER asks for it" : "the best that works here";
    return `${poller.name} (${[why, ...refused].join("; ")})`;
  } catch (error) {
    return `none: ${error instanceof Error ? error.message : String(error)}`;
  }
}
