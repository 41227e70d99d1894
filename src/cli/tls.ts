/** The files that `--tls-cert` and its like name. */
import { readFileSync } from "node:fs";
import type { Resolved } from "../options/resolve.ts";
import type { OptionName } from "../options/table.ts";
import type { TlsContext } from "../tls/context.ts";
import { failureAt, placeOf } from "./settings.ts";

type FileOption = Extract<OptionName, "tlsCert" | "tlsKey" | "tlsPassphraseFile">;

/** What is made of them; undefined where TLS is not asked for. Throws the sentence for what can't be used. */
export async function readTls(resolved: Resolved): Promise<TlsContext | undefined> {
  const { tlsCert, tlsKey, tlsPassphraseFile } = resolved.settings;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsKey === undefined) throw lacking(resolved, "tlsCert", "the certificate's private key: give --tls-key as well");
  if (tlsCert === undefined) throw lacking(resolved, "tlsKey", "the key's certificate: give --tls-cert as well");
  const cert = read(resolved, "tlsCert", tlsCert);
  const key = read(resolved, "tlsKey", tlsKey);
  const passphrase =
    tlsPassphraseFile === undefined
      ? undefined
      : read(resolved, "tlsPassphraseFile", tlsPassphraseFile).toString().split(/\r?\n/, 1)[0];
  const [{ httpsContext }, { TlsConfigError }] = await Promise.all([
    import("../http/mod.ts"),
    import("../tls/context.ts"),
  ]);
  try {
    return httpsContext({ cert, key, passphrase });
  } catch (error) {
    if (!(error instanceof TlsConfigError)) throw error;
    throw failureAt(entryOf(resolved, "tlsCert"), `${error.message} (${tlsCert}, ${tlsKey})`);
  }
}

function read(resolved: Resolved, name: FileOption, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "it may not be read" : message;
    const entry = entryOf(resolved, name);
    throw failureAt(entry, `${placeOf(entry)} names ${file}: ${why}`);
  }
}

function lacking(resolved: Resolved, given: FileOption, what: string): Error {
  const entry = entryOf(resolved, given);
  return failureAt(entry, `${placeOf(entry)} alone does nothing: TLS also needs ${what}`);
}

function entryOf({ entries }: Resolved, name: FileOption) {
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`no option ${name}`);
  return entry;
}
