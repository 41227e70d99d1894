/** Where the applications listen: "http://host:port" or "unix:/path", separated by commas. */
export function upstreamsIn(list: string | undefined): string[] {
  const named = (list ?? "").split(",").map((one) => one.trim());
  const upstreams = named.filter((one) => one !== "");
  return upstreams.length > 0 ? upstreams : ["http://127.0.0.1:3000"];
}
