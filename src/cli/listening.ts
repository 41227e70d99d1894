/**
 * Whether this process listens with one of Node's (a program may serve with node:http), or has ever used our network: a
 * program that awaits its server's end at its top level is done serving by the time it has loaded.
 */
export async function isListening(): Promise<boolean> {
  if (process.getActiveResourcesInfo().some((name) => /ServerWrap$/i.test(name))) return true;
  const { runtimeStarted } = await import("../runtime/mod.ts");
  return runtimeStarted();
}
