/** The files that `--tls-cert` and its like name. */
import { readFileSync } from "node:fs";
import type { Resolved } from "../options/resolve.ts";
import type { OptionName } from "../options/table.ts";
import type { TlsContext, TlsIdentity, TlsOptions } from "../tls/context.ts";
import { failureAt, placeOf } from "./settings.ts";

type FileOption = Extract<OptionName, "tlsCert" | "tlsKey" | "tlsPassphraseFile">;

/** By the names of their files: a program's own server and what it exports have one in common. */
const contexts = new Map<string, TlsContext>();

/** What is made of them; undefined where TLS is not asked for. Throws the sentence for what can't be used. */
export async function readTls(resolved: Resolved): Promise<TlsContext | undefined> {
  const { tlsCert, tlsKey, tlsPassphraseFile } = resolved.settings;
  if (tlsCert.length === 0 && tlsKey.length === 0) return undefined;
  if (tlsKey.length < tlsCert.length) throw lacking(resolved, "tlsCert", tlsKey.length);
  if (tlsCert.length < tlsKey.length) throw lacking(resolved, "tlsKey", tlsCert.length);
  const pairs = tlsCert.map((cert, i) => [cert, tlsKey[i]]);
  const passphraseFiles = tlsPassphraseFile === undefined ? [] : [tlsPassphraseFile];
  const files = [...pairs.flat(), ...passphraseFiles];
  const known = contexts.get(files.join("\0"));
  if (known !== undefined) return known;
  const options = (): TlsOptions => {
    const passphrase =
      tlsPassphraseFile === undefined
        ? undefined
        : read(resolved, "tlsPassphraseFile", tlsPassphraseFile).toString().split(/\r?\n/, 1)[0];
    return {
      certificates: pairs.map(
        ([cert, key]): TlsIdentity => ({
          cert: read(resolved, "tlsCert", cert),
          key: read(resolved, "tlsKey", key),
          passphrase,
        }),
      ),
    };
  };
  const [{ httpsContext }, { TlsConfigError }, { TlsFiles }] = await Promise.all([
    import("../http/mod.ts"),
    import("../tls/context.ts"),
    import("./tls-files.ts"),
  ]);
  const explain = ({ message, index }: InstanceType<typeof TlsConfigError>): string =>
    `${message} (${[...pairs[index], ...passphraseFiles].join(", ")})`;
  try {
    const context = httpsContext(options());
    contexts.set(files.join("\0"), context);
    new TlsFiles(files, context, options, explain).watch();
    return context;
  } catch (error) {
    if (!(error instanceof TlsConfigError)) throw error;
    throw failureAt(entryOf(resolved, "tlsCert"), explain(error));
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

/** Of certificates and keys there are as many, but for a mistake. */
function lacking(resolved: Resolved, given: "tlsCert" | "tlsKey", others: number): Error {
  const entry = entryOf(resolved, given);
  const what = given === "tlsCert" ? "the certificate's private key: give --tls-key" : "the key's certificate: give --tls-cert"; // biome-ignore format: one line
  const words =
    others === 0
      ? `${placeOf(entry)} alone does nothing: TLS also needs ${what} as well`
      : `${placeOf(entry)} names ${resolved.settings[given].length} files, which is more than TLS can use: it also needs ${what} as often, in the same order`;
  return failureAt(entry, words);
}

function entryOf({ entries }: Resolved, name: FileOption) {
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`no option ${name}`);
  return entry;
}
