/**
 * What `run` says at a terminal once it serves, three lines at most: where, the limits that matter first, and what it
 * runs on. (The admin port says its own before: `--admin`.) Anywhere else it is `Listening on …`, which programs read.
 */
import { networkInterfaces } from "node:os";
import type { ListenAddress } from "../../options/address.ts";
import type { Resolved } from "../../options/resolve.ts";
import { runtime } from "../../runtime/mod.ts";
import type { Paint } from "../../terminal/colors.ts";
import { version } from "../version.ts";

/** Interfaces have more addresses than anybody types in on a phone. */
const MOST_LAN = 2;

/** `shown`: what `Listening on` would name; empty for a program that has said so itself. */
export function banner(
  shown: readonly string[],
  addresses: readonly ListenAddress[],
  resolved: Resolved,
  paint: Paint,
): string[] {
  const { settings } = resolved;
  const value = (name: string) => resolved.entries.find((entry) => entry.name === name)?.value ?? "";
  const near = shown.flatMap((url, i) => lanAddresses(url, addresses[i]));
  const lan = near.length === 0 ? "" : paint("dim", `  (in this network: ${near.join(", ")})`);
  const lines: string[] = [];
  if (shown.length > 0)
    lines.push(`${paint("bold", "Listening on")} ${shown.map((one) => paint("cyan", one)).join(", ")}${lan}`);
  const bounded: string[] = [
    `read ${value("readTimeout")}`,
    `write ${value("writeTimeout")}`,
    `idle ${value("idleTimeout")}`,
    `body ${value("maxBodyBytes")}`,
    `head ${value("maxHeaderBytes")}`,
  ];
  lines.push(`${paint("dim", "Limits ")} ${bounded.join(", ")}${paint("dim", "  (--print-config shows all)")}`);
  const admin = settings.admin === undefined ? paint("dim", "  (--admin 127.0.0.1:9090 has a live page)") : "";
  const threads = settings.parallel === 1 ? "" : `, ${value("parallel")} threads`;
  lines.push(
    `${paint("dim", "Running")} slipway ${version}, ${runtime().poller.name}, node ${process.versions.node}${threads}${admin}`,
  );
  return lines;
}

/** The URL as other machines reach it, where the server listens on every interface. */
export function lanAddresses(
  url: string,
  address: ListenAddress | undefined,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string[] {
  if (address?.transport !== "tcp" || (address.hostname !== "0.0.0.0" && address.hostname !== "::")) return [];
  const found = Object.values(interfaces)
    .flatMap((addresses = []) => addresses)
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map((one) => url.replace("://localhost", `://${one.address}`));
  return found.slice(0, MOST_LAN);
}
