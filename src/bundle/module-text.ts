/** Modules of data: and blob: URLs, which lie in no file: JavaScript, or TypeScript. Node's own loader runs them. */

/** What a blob: URL stands for, as long as nobody has revoked it. */
export function blobAt(url: URL): Blob | undefined {
  return process.getBuiltinModule("node:buffer").resolveObjectURL(url.href) as Blob | undefined;
}

/** The text as JavaScript; `blob` is what a blob: URL stood for. */
export async function moduleText(url: URL, blob: Blob | undefined): Promise<string> {
  if (url.protocol === "blob:" && blob === undefined) throw new TypeError(`Blob URL not found: "${url}"`);
  const [type, text] = blob === undefined ? await ofData(url) : ([blob.type, await blob.text()] as const);
  return /\btypescript\b/.test(type) ? withoutTypes(text) : text;
}

async function ofData(url: URL): Promise<readonly [string, string]> {
  const [, type = "", base64, data] = /^data:([^,;]*)(?:;(?!base64,)[^,;]*)*(;base64)?,(.*)$/s.exec(url.href) ?? [];
  if (data === undefined) throw new TypeError(`Unable to decode "${url.href.slice(0, 60)}"`);
  const text = decodeURIComponent(data);
  return [type, base64 === undefined ? text : Buffer.from(text, "base64").toString()];
}

/** Types are blanked out, so lines and columns stay; an enum is refused, with where it stands. */
function withoutTypes(text: string): string {
  const { stripTypeScriptTypes } = process.getBuiltinModule("node:module");
  const { emitWarning } = process;
  // That it is experimental is no news for the program's users.
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
