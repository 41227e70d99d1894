// What a peer is, and the files that its programs become.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Handlers } from "./question.ts";

/** The command that serves the handler on a loopback port, or why there is none. */
export type Launch = { readonly command: (port: number) => string[] } | { readonly missing: string };

export interface Peer {
  readonly name: string;
  /** A start that fails is a part of ours that is refused here, or not built yet: left out, no failure. */
  readonly optional?: boolean;
  /** Whether it has a program for the question at all; who has none is not asked unless by name. */
  applies?(handlers: Handlers): boolean;
  /** What it is, for a table that is kept. */
  version?(): string;
  launch(handlers: Handlers, directory: string): Launch;
}

export const root = fileURLToPath(new URL("../..", import.meta.url));

export function inRoot(path: string): string {
  return join(root, path);
}

export function write(directory: string, name: string, text: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** The same fetch handler as a module that ours takes as it is. */
export function writeHandler(handlers: Handlers, directory: string): string {
  const text = `${prelude(handlers)}const handler = ${handlers.fetch};\nexport default { fetch: handler };\n`;
  return write(directory, "handler.mjs", text);
}

export function prelude(handlers: Handlers): string {
  return handlers.prelude ? `${handlers.prelude}\n` : "";
}

/** The command with variables in its environment; env(1) becomes the command, so the process is the same. */
export function withEnvironment(variables: Readonly<Record<string, string>>, command: readonly string[]): string[] {
  return ["/usr/bin/env", ...Object.entries(variables).map(([name, value]) => `${name}=${value}`), ...command];
}

/** Of localhost, and good for a hundred years: what every peer serves the questions about TLS with. */
export function certificate({ rsa = false }: Handlers): { readonly cert: string; readonly key: string } {
  const prefix = rsa ? "test/support/tls/other-" : "test/support/tls/";
  return { cert: inRoot(`${prefix}cert.pem`), key: inRoot(`${prefix}key.pem`) };
}

export function npmFile(path: string): string | null {
  const file = inRoot(`node_modules/${path}`);
  return existsSync(file) ? file : null;
}

export function npmVersion(name: string): string {
  const file = npmFile(`${name}/package.json`);
  return file ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : "";
}
