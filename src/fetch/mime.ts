/** "Extract a MIME type" (https://fetch.spec.whatwg.org/#concept-header-extract-mime-type): what a Blob is told. */

/** The serialised MIME type of a content-type value (several may be joined in it), or "" where there is none. */
export function mimeTypeOf(contentType: string | null): string {
  if (contentType === null) return "";
  const { MIMEType } = process.getBuiltinModule("node:util");
  let found: InstanceType<typeof MIMEType> | null = null;
  let essence = "";
  let charset: string | null = null;
  for (const value of splitOutsideQuotes(contentType)) {
    let type: InstanceType<typeof MIMEType>;
    try {
      type = new MIMEType(value);
    } catch {
      continue;
    }
    if (type.essence === "*/*") continue;
    found = type;
    const own = type.params.get("charset");
    if (type.essence !== essence) {
      charset = own;
      essence = type.essence;
    } else if (own === null && charset !== null) {
      type.params.set("charset", charset);
    }
  }
  return found === null ? "" : String(found);
}

/** "Get, decode, and split": at commas, but not inside quoted strings. */
function splitOutsideQuotes(value: string): string[] {
  return (value.match(/(?:"(?:[^"\\]|\\.)*(?:"|$)|[^",])+/g) ?? []).map((part) => part.trim());
}
