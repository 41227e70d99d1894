/** The systems whose C library is played (register.mjs). */
export const SYSTEMS = ["darwin", "freebsd"] as const;

const register = new URL("register.mjs", import.meta.url).href;

/** The environment in which a program, its workers and its children run on one of them. */
export function playing(system: (typeof SYSTEMS)[number]): Record<string, string> {
  const options = process.env["NODE_OPTIONS"] ?? "";
  return {
    SLIPWAY_TEST_SYSTEM: system,
    SLIPWAY_POLLER: "kqueue",
    NODE_OPTIONS: `${options} --import=${register}`.trim(),
  };
}
