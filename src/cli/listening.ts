/**
 * Whether this process has opened a listener: ours, or one of Node's (a program may serve with node:http).
 */
export async function isListening(): Promise<boolean> {
  if (process.getActiveResourcesInfo().some((name) => /ServerWrap$/i.test(name))) return true;
  const { runtime } = await import("../runtime/mod.ts");
  return runtime().poller.openCount > 0;
}
