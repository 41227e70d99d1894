/**
 * FormData as a body, both ways (RFC 7578, and https://fetch.spec.whatwg.org/#concept-bodyinit-extract).
 *
 * Writing is ours. For reading, the host's own parser is borrowed: FormData is the host's class in any case.
 */
import type { TypedBody } from "./body.ts";
import { nativeFetch } from "./native.ts";

/** A form as multipart/form-data: a string as long as there are no files in it, else a Blob. */
export function formBody(form: FormData): TypedBody {
  const boundary = `----formdata-${crypto.randomUUID()}`;
  const parts: (string | Blob)[] = [];
  let text = "";
  for (const [name, value] of form) {
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(crlf(name))}"`;
    if (typeof value === "string") {
      text += `\r\n\r\n${crlf(value)}\r\n`;
    } else {
      text += `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
      parts.push(text, value);
      text = "\r\n";
    }
  }
  text += `--${boundary}--\r\n`;
  const type = `multipart/form-data; boundary=${boundary}`;
  return { source: parts.length === 0 ? text : new Blob([...parts, text]), type };
}

function crlf(value: string): string {
  return value.replace(/\r?\n|\r/g, "\r\n");
}

function escaped(name: string): string {
  return name.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
}

/** `formData()`: what these bytes are as a form, by their content type. */
export async function parseForm(bytes: Uint8Array<ArrayBuffer>, contentType: string | null): Promise<FormData> {
  // The host's Response can't be named without loading it at start; one that it made tells its class.
  const twin = await nativeFetch()("data:,");
  const Twin = twin.constructor as typeof globalThis.Response;
  return new Twin(bytes, contentType === null ? undefined : { headers: { "content-type": contentType } }).formData();
}
