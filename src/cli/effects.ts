/**
 * Whether a program that exports nothing and has ended did anything. A tool may end by itself, as under Deno; a file
 * that touched nothing outside of itself can't have done anything, and is most likely a handler without its export.
 */
import type { Server } from "node:http";
import { noteOutput } from "./output.ts";

export interface Effects {
  /** The program's modules have been evaluated. */
  loaded(): void;
  /** Looks whether the program waits for something at this moment: a timer, an answer. */
  look(): void;
  /** We ourselves have nothing more to do. */
  end(): void;
  /** Asked when the process has nothing left to do. */
  any(): boolean;
}

/** Begins to look; called just before a program is loaded. `onNodeServer` is told of servers of node:http that listen. */
export function watchEffects(onNodeServer: (server: Server) => void): Effects {
  const outputUsed = noteOutput();
  const { getBuiltinModule } = process;
  let waited = false;
  let builtins = false;
  // Modules are evaluated in one go, unless they wait for something at their top level.
  const turn = setImmediate(() => (waited = true));
  // What `import … from "node:fs"` is in a bundle.
  process.getBuiltinModule = ((name: string) => {
    const found: object | undefined = getBuiltinModule(name);
    builtins ||= found !== undefined;
    if (/^(?:node:)?https?$/.test(name)) watchNodeServers(getBuiltinModule, onNodeServer);
    return found;
  }) as typeof getBuiltinModule;
  return {
    loaded() {
      process.getBuiltinModule = getBuiltinModule;
      clearImmediate(turn);
    },
    look() {
      // Standard streams, watch mode's channel, the bundler's process, which is ending, and what joins a worker thread to
      // the main thread are not the program's.
      const ours = /^(?:(?:Pipe|TTY|Process|Signal)Wrap|MessagePort)$/;
      waited ||= process.getActiveResourcesInfo().some((name) => !ours.test(name));
    },
    end() {
      // Runs only if something else keeps the process alive. What is being closed, the bundler's pipes, does so for one
      // turn more: the second counts.
      setImmediate(() => setImmediate(() => (waited = true)).unref()).unref();
    },
    any() {
      const { exitCode } = process;
      return waited || builtins || outputUsed() || denoUsed() || exitCode !== undefined;
    },
  };
}

let watched = false;

/** Most programs never ask for node:http, and pay nothing for this. */
function watchNodeServers(getBuiltinModule: NodeJS.Process["getBuiltinModule"], told: (server: Server) => void): void {
  if (watched) return;
  watched = true;
  getBuiltinModule("node:diagnostics_channel").subscribe("tracing:net.server.listen:asyncEnd", (message) => {
    const { server } = message as { server: Partial<Server> };
    // Not those of node:net: they are tools' own affair.
    if (server.closeIdleConnections !== undefined) told(server as Server);
  });
}

/** `installDeno` leaves a getter, which is gone once it has been asked. */
function denoUsed(): boolean {
  return Object.getOwnPropertyDescriptor(globalThis, "Deno")?.get === undefined;
}
