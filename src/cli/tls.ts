/** The files that `--tls-cert` and its like name. */
import { type ListenAddress, parseAddress } from "../options/address.ts";
import type { Resolved, Settings } from "../options/resolve.ts";
import type { OptionName } from "../options/table.ts";
import { announce } from "../runtime/log.ts";
import type { TlsContext, TlsIdentity, TlsOptions } from "../tls/context.ts";
import type { SelfSigned } from "../tls/self-signed.ts";
import { readSecretFile } from "./secret-file.ts";
import { failureAt, orFailure, orUsage, placeOf } from "./settings.ts";

type FileOption = Extract<OptionName, "tls" | "hsts" | "redirectHttp" | "redirectPort" | `tls${string}`>;

/** By what was asked for: a program's own server and what it exports have one in common. */
const contexts = new Map<string, TlsContext>();
let ticketKeysRead = false;
let selfSignedLooked = false;

/** Whether its servers speak TLS: by the options alone, before any file is read. */
export function speaksTls({ tls, tlsCert, tlsKey, tlsPfx }: Settings): boolean {
  return tls === "self-signed" || (tls === "auto" && tlsCert.length + tlsKey.length + tlsPfx.length > 0);
}

const OF_A_CERTIFICATE = ["tlsPassphraseFile", "tlsOcsp", "tlsPolicy", "tlsClientAuth", "tlsClientCa", "hsts"] as const;

/** Whoever asks clients for certificates must not find out later that nobody is asked, for lack of one of the server's. */
export function checkTls(resolved: Resolved): void {
  const { settings } = resolved;
  if (settings.tls !== "auto" || speaksTls(settings)) return;
  for (const name of OF_A_CERTIFICATE) {
    const entry = entryOf(resolved, name);
    if (entry.source === "default" || entry.value === "none" || entry.value === "intermediate") continue;
    const instead = "give --tls-cert and --tls-key, or say it where the program opens its server (tls of Deno.serve)";
    throw failureAt(entry, `${placeOf(entry)} does nothing without a certificate: ${instead}`);
  }
}

/** What is made of them; undefined where TLS is not asked for. Throws the sentence for what can't be used. */
export async function readTls(resolved: Resolved, within: "http" | "raw" = "http"): Promise<TlsContext | undefined> {
  const { settings } = resolved;
  // Also for what a program opens with a certificate of its own.
  if (settings.tlsTicketKeys !== undefined && !ticketKeysRead) await useTicketKeys(resolved, settings.tlsTicketKeys);
  if (!speaksTls(settings)) return undefined;
  const { tlsPolicy: policy, tlsClientAuth: clientAuth, tlsClientCa, hsts } = settings;
  await checkHsts(resolved);
  if (clientAuth !== "none" && tlsClientCa === undefined) {
    throw without(resolved, "tlsClientAuth", "--tls-client-ca, who signs the certificates of clients");
  }
  if (clientAuth === "none" && tlsClientCa !== undefined) {
    throw without(resolved, "tlsClientCa", "--tls-client-auth request or require");
  }
  const sources = settings.tls === "self-signed" ? [await ofThisMachine(resolved)] : filesOf(resolved);
  const files = [...new Set(sources.flatMap((source) => source.files)), ...(tlsClientCa === undefined ? [] : [tlsClientCa])]; // biome-ignore format: one line
  const asked = [within, settings.tls, ...files, policy, clientAuth, hsts].join("\0");
  const known = contexts.get(asked);
  if (known !== undefined) return known;
  const options = (): TlsOptions => ({
    policy,
    clientAuth,
    hsts,
    clientCa: tlsClientCa === undefined ? undefined : read(resolved, "tlsClientCa", tlsClientCa),
    certificates: sources.map((source) => source.read()),
  });
  const [{ httpsContext }, { serverContext, TlsConfigError }, { TlsFiles }, { watchExpiry }] = await Promise.all([
    import("../http/mod.ts"),
    import("../tls/context.ts"),
    import("./tls-files.ts"),
    import("./tls-expiry.ts"),
  ]);
  /** With the files it is about. */
  const named = <T>(make: () => T): T => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof TlsConfigError)) throw error;
      const about = sources[error.index]?.files ?? [tlsClientCa];
      throw failureAt(
        entryOf(resolved, settings.tlsCert.length > 0 ? "tlsCert" : "tlsPfx"),
        `${error.message} (${about.join(", ")})`,
      );
    }
  };
  const context = named(() => (within === "http" ? httpsContext(options()) : serverContext(options())));
  contexts.set(asked, context);
  watchExpiry(context);
  new TlsFiles({ files, what: "The certificate was", apply: () => named(() => context.renew(options())) }).watch();
  return context;
}

/** Where a certificate and its key come from. */
interface Source {
  readonly files: readonly string[];
  read(): TlsIdentity;
}

function filesOf(resolved: Resolved): Source[] {
  const { tlsCert, tlsKey, tlsPfx, tlsOcsp, tlsPassphraseFile } = resolved.settings;
  if (tlsKey.length < tlsCert.length) throw lacking(resolved, "tlsCert", tlsKey.length);
  if (tlsCert.length < tlsKey.length) throw lacking(resolved, "tlsKey", tlsCert.length);
  const passphrases = tlsPassphraseFile === undefined ? [] : [tlsPassphraseFile];
  const pairs: Source[] = tlsCert.map((cert, i) => ({
    files: [cert, tlsKey[i], ...passphrases],
    read: () => ({
      cert: read(resolved, "tlsCert", cert),
      key: read(resolved, "tlsKey", tlsKey[i]),
      passphrase: passphrase(resolved),
    }),
  }));
  const stores: Source[] = tlsPfx.map((pfx) => ({
    files: [pfx, ...passphrases],
    read: () => ({ pfx: read(resolved, "tlsPfx", pfx), passphrase: passphrase(resolved) }),
  }));
  const sources = [...pairs, ...stores];
  if (tlsOcsp.length > sources.length) {
    const entry = entryOf(resolved, "tlsOcsp");
    throw failureAt(entry, `${placeOf(entry)} names more files than there are certificates: one for each, in the same order`); // biome-ignore format: one line
  }
  return sources.map((source, i) => {
    const ocsp = tlsOcsp[i];
    if (ocsp === undefined) return source;
    return {
      files: [...source.files, ocsp],
      read: () => ({ ...source.read(), ocsp: read(resolved, "tlsOcsp", ocsp) }),
    };
  });
}

function passphrase(resolved: Resolved): string | undefined {
  const { tlsPassphraseFile: file } = resolved.settings;
  return file === undefined ? undefined : read(resolved, "tlsPassphraseFile", file).toString().split(/\r?\n/, 1)[0];
}

/** Where the threads find what the main one has. */
const SELF_SIGNED = "slipway self-signed";
/** Looked at so often whether it is to be made anew. */
const DAY_MS = 86_400_000;

/** `--tls self-signed`. */
async function ofThisMachine(resolved: Resolved): Promise<Source> {
  const { tlsCert, tlsKey, tlsPfx } = resolved.settings;
  if (tlsCert.length + tlsKey.length + tlsPfx.length > 0) {
    const entry = entryOf(resolved, "tls");
    throw failureAt(entry, `${placeOf(entry)} (self-signed) and a certificate of your own exclude each other: leave one of them out`); // biome-ignore format: one line
  }
  const { selfSigned } = await import("../tls/self-signed.ts");
  const { getEnvironmentData, setEnvironmentData } = process.getBuiltinModule("node:worker_threads");
  const ofMain = getEnvironmentData(SELF_SIGNED) as unknown as SelfSigned | undefined;
  let own = selfSigned();
  if (own.file === undefined) own = ofMain ?? own;
  if (ofMain === undefined) {
    setEnvironmentData(SELF_SIGNED, own as never);
    const where = own.file === undefined ? "" : `: ${own.file}`;
    announce(`Self-signed certificate for localhost${where}, SHA-256 ${own.fingerprint}`);
  }
  // Whoever makes it anew writes the file, which is looked at.
  if (!selfSignedLooked) setInterval(() => selfSigned(), DAY_MS).unref();
  selfSignedLooked = true;
  return {
    files: own.file === undefined ? [] : [own.file],
    // Of a process that found no place to write it is always the same.
    read: () => (own.file === undefined ? own : selfSigned()),
  };
}

/** Of certificates and keys there are as many, but for a mistake. */
function lacking(resolved: Resolved, given: "tlsCert" | "tlsKey", others: number): Error {
  const entry = entryOf(resolved, given);
  const what =
    given === "tlsCert" ? "the certificate's private key: give --tls-key" : "the key's certificate: give --tls-cert";
  const words =
    others === 0
      ? `${placeOf(entry)} alone does nothing: TLS also needs ${what} as well`
      : `${placeOf(entry)} names ${resolved.settings[given].length} files: TLS also needs ${what} as often, in the same order`;
  return failureAt(entry, words);
}

function without(resolved: Resolved, given: FileOption, what: string): Error {
  const entry = entryOf(resolved, given);
  return failureAt(entry, `${placeOf(entry)} alone does nothing: give ${what}`);
}

async function checkHsts(resolved: Resolved): Promise<void> {
  if (resolved.settings.hsts === undefined) return;
  const { readHsts } = await import("../tls/hsts.ts");
  try {
    readHsts(resolved.settings.hsts);
  } catch (error) {
    const entry = entryOf(resolved, "hsts");
    throw failureAt(entry, `${placeOf(entry)}: ${(error as Error).message}`);
  }
}

/** Where http is answered with a redirect, if anywhere. */
export function redirectAddress(resolved: Resolved): ListenAddress | undefined {
  const { redirectHttp, redirectPort } = resolved.settings;
  if (redirectHttp === undefined) {
    if (redirectPort !== 0)
      throw without(resolved, "redirectPort", "--redirect-http, the address where http is answered");
    return undefined;
  }
  if (!speaksTls(resolved.settings)) throw without(resolved, "redirectHttp", "--tls-cert and --tls-key as well, or --tls self-signed"); // biome-ignore format: one line
  const entry = entryOf(resolved, "redirectHttp");
  const read = (): ListenAddress => parseAddress(redirectHttp, placeOf(entry));
  return entry.source === "file" ? orFailure(read) : orUsage(read);
}

async function useTicketKeys(resolved: Resolved, given: string): Promise<void> {
  const [{ readTicketKeys, ticketKeys }, { TlsFiles }] = await Promise.all([
    import("../tls/ticket-keys.ts"),
    import("./tls-files.ts"),
  ]);
  ticketKeysRead = true;
  const variable = /^env:(.*)$/.exec(given)?.[1];
  const apply = (): void => {
    const entry = entryOf(resolved, "tlsTicketKeys");
    const refused = (why: string): Error => failureAt(entry, `${placeOf(entry)} names ${given}: ${why}`);
    if (variable === "") throw failureAt(entry, `${placeOf(entry)} names no variable: write env:NAME`);
    const text = variable === undefined ? read(resolved, "tlsTicketKeys", given) : process.env[variable];
    if (text === undefined) throw refused("there is no such environment variable");
    if (text.length === 0) throw refused("it is empty");
    try {
      ticketKeys().fix(readTicketKeys(text));
    } catch (error) {
      throw refused((error as Error).message);
    }
  };
  apply();
  if (variable === undefined) new TlsFiles({ files: [given], what: "The ticket keys were", apply }).watch();
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be read",
  EISDIR: "it is a folder",
};

function read(resolved: Resolved, name: FileOption, file: string): Buffer {
  try {
    return readSecretFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = UNREADABLE[code ?? ""] ?? message;
    const entry = entryOf(resolved, name);
    throw failureAt(entry, `${placeOf(entry)} names ${file}: ${why}`);
  }
}

function entryOf({ entries }: Resolved, name: FileOption) {
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`no option ${name}`);
  return entry;
}
