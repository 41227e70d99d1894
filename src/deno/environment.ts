/** `Deno.env`. */
export const environment = {
  get(key: string): string | undefined {
    return own(checkKey(key));
  },
  set(key: string, value: string): void {
    checkKey(key);
    if (/\0/.test(value)) throw new TypeError(`Value contains invalid characters: ${quoted(value)}`);
    process.env[key] = value;
  },
  has(key: string): boolean {
    return own(checkKey(key)) !== undefined;
  },
  delete(key: string): void {
    if (key === "") throw new TypeError('Key contains invalid characters: ""');
    delete process.env[checkKey(key)];
  },
  toObject(): Record<string, string> {
    return { ...process.env } as Record<string, string>;
  },
};

/** What no environment can hold (setenv(3)): Node would take some of it in silence. */
function checkKey(key: string): string {
  const text = String(key);
  if (text === "") throw new TypeError("Key is an empty string.");
  if (/[=\0]/.test(text)) throw new TypeError(`Key contains invalid characters: ${quoted(text)}`);
  return text;
}

/** `process.env` is an object like others: it has a `constructor`. */
function own(key: string): string | undefined {
  const value: unknown = process.env[key];
  return typeof value === "string" ? value : undefined;
}

/** As Rust shows text. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\\u0000", "\\0");
}
