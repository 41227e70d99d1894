/** The files that `--tls-cert` and its like name. */
import { readFileSync } from "node:fs";
import type { Resolved } from "../options/resolve.ts";
import type { OptionName } from "../options/table.ts";
import type { TlsContext, TlsIdentity } from "../tls/context.ts";
import { failureAt, placeOf } from "./settings.ts";

type FileOption = Extract<OptionName, "tlsCert" | "tlsKey" | "tlsPassphraseFile">;

/** By the names of their files: a program's own server and what it exports have one in common. */
const contexts = new Map<string, TlsContext>();

/** What is made of them; undefined where TLS is not asked for. Throws the sentence for what can't be used. */
export async function readTls(resolved: Resolved, within: "http" | "raw" = "http"): Promise<TlsContext | undefined> {
  const { tlsCert, tlsKey, tlsPassphraseFile } = resolved.settings;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsKey === undefined) throw lacking(resolved, "tlsCert", "the certificate's private key: give --tls-key as well");
  if (tlsCert === undefined) throw lacking(resolved, "tlsKey", "the key's certificate: give --tls-cert as well");
  const files = [tlsCert, tlsKey, ...(tlsPassphraseFile === undefined ? [] : [tlsPassphraseFile])];
  const name = [within, ...files].join("\0");
  const known = contexts.get(name);
  if (known !== undefined) return known;
  const identity = (): TlsIdentity => ({
    cert: read(resolved, "tlsCert", tlsCert),
    key: read(resolved, "tlsKey", tlsKey),
    passphrase:
      tlsPassphraseFile === undefined
        ? undefined
        : read(resolved, "tlsPassphraseFile", tlsPassphraseFile).toString().split(/\r?\n/, 1)[0],
  });
  const [{ httpsContext }, { serverContext, TlsConfigError }, { TlsFiles }] = await Promise.all([
    import("../http/mod.ts"),
    import("../tls/context.ts"),
    import("./tls-files.ts"),
  ]);
  try {
    const context = within === "http" ? httpsContext(identity()) : serverContext(identity());
    contexts.set(name, context);
    new TlsFiles(files, context, identity).watch();
    return context;
  } catch (error) {
    if (!(error instanceof TlsConfigError)) throw error;
    throw failureAt(entryOf(resolved, "tlsCert"), `${error.message} (${files.join(", ")})`);
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
