/** What a file is, by its name (mrmime's table), and its charset: text is UTF-8 (there is no other in new files). */
import { lookup } from "mrmime";

/** Not as the table has them, or not in it, as types of vendors are not. */
const OURS: Readonly<Record<string, string>> = {
  cjs: "text/javascript",
  ico: "image/vnd.microsoft.icon",
  m3u8: "application/vnd.apple.mpegurl",
  zst: "application/zstd",
};

export function contentType(name: string): string {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const type = (Object.hasOwn(OURS, ending) ? OURS[ending] : lookup(ending)) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}
