/**
 * Whether this process listens with one of Node's (a program may serve with node:http), or has ever used our network: a
 * program that awaits its server's end at its top level is done serving by the time it has loaded.
 */
/** In a worker thread the network is always in use: asked is then whether the program uses it. */
export const networkUse: { asked?: () => boolean } = {};

export async function isListening(): Promise<boolean> {
  if (process.getActiveResourcesInfo().some((name) => /ServerWrap$/i.test(name))) return true;
  if (networkUse.asked !== undefined) return networkUse.asked();
  const { runtimeStarted } = await import("../runtime/mod.ts");
  return runtimeStarted();
}
