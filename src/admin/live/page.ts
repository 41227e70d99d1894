/**
 * The live page itself: one HTML file with its style and script in it, made by scripts/live-page.ts and kept compressed
 * (Brotli), as nearly every client takes it. In front of it stands its Content-Security-Policy, a line which names the
 * style and the script by their digests.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { brotliDecompress } from "node:zlib";
import { LIVE_PAGE } from "./asset.ts";

export interface LivePage {
  readonly policy: string;
  readonly brotli: Uint8Array<ArrayBuffer>;
}

let page: Promise<LivePage> | undefined;

/** Rejects when there is none: under sources that is made at the first call. */
export function livePage(): Promise<LivePage> {
  page ??= load().then(split);
  // Sources may be mended.
  page.catch(() => {
    page = undefined;
  });
  return page;
}

/** For clients that do not take Brotli: Firefox and Chromium offer it to https: and to this machine only. */
export function decompressed({ brotli }: LivePage): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    brotliDecompress(brotli, (error, bytes) => (error === null ? resolve(new Uint8Array(bytes)) : reject(error)));
  });
}

/** RFC 9110, 12.5.3. Who says nothing, or `*`, is most likely a program that decodes nothing. */
export function takesBrotli(acceptEncoding: string | null): boolean {
  const codings = acceptEncoding?.toLowerCase().split(",", 32) ?? [];
  return codings.some((coding) => /^\s*br\s*(?:;\s*q=(?!0(?:\.0*)?\s*$)[\d.]+\s*)?$/.test(coding));
}

async function load(): Promise<Uint8Array> {
  const sea = process.getBuiltinModule("node:sea");
  if (sea.isSea()) return new Uint8Array(sea.getRawAsset(LIVE_PAGE) as ArrayBuffer);
  const packaged = new URL(LIVE_PAGE, import.meta.url);
  return existsSync(packaged) ? readFile(packaged) : build(new URL("../../../scripts/live-page.ts", import.meta.url));
}

/** In a process of its own, whose bundler ends with it. */
async function build(script: URL): Promise<Uint8Array> {
  const [{ execFile }, { fileURLToPath }, { promisify }] = await Promise.all([
    import("node:child_process"),
    import("node:url"),
    import("node:util"),
  ]);
  const options = { encoding: "buffer", maxBuffer: 1 << 24 } as const;
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(script)], options);
  return stdout;
}

function split(bytes: Uint8Array): LivePage {
  const end = bytes.indexOf(0x0a);
  return {
    policy: Buffer.from(bytes.subarray(0, end)).toString("latin1"),
    brotli: new Uint8Array(bytes.slice(end + 1)),
  };
}
