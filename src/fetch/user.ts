/** The name and the password that a URL may carry, as a field: RFC 7617, in UTF-8. */

/** Takes them out of the URL; what Authorization says instead, or undefined when there were none. */
export function takeUser(url: URL): string | undefined {
  const { username, password } = url;
  if (username === "" && password === "") return undefined;
  url.username = url.password = "";
  const pair = `${percentDecoded(username)}:${percentDecoded(password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

/** https://url.spec.whatwg.org/#percent-decode: what is no code stays as it is; decodeURIComponent would throw for it. */
function percentDecoded(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (codes) => Buffer.from(codes.replaceAll("%", ""), "hex").toString());
}
