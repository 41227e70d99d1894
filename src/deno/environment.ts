/** `Deno.env`. */
export const environment = {
  get(key: string): string | undefined {
    return process.env[checkKey(key)];
  },
  set(key: string, value: string): void {
    checkKey(key);
    if (/\0/.test(value)) throw new TypeError(`Value contains invalid characters: ${JSON.stringify(value)}`);
    process.env[key] = value;
  },
  has(key: string): boolean {
    return checkKey(key) in process.env;
  },
  delete(key: string): void {
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
  if (/[=\0]/.test(text)) throw new TypeError(`Key contains invalid characters: ${JSON.stringify(text)}`);
  return text;
}
