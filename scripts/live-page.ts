/**
 * The live page of the admin port, of its sources in src/admin/live/page: one HTML file that asks nobody for anything,
 * compressed, behind its Content-Security-Policy (src/admin/live/page.ts).
 *
 *   node scripts/live-page.ts > FILE
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const folder = resolve(import.meta.dirname, "../src/admin/live/page");

export async function buildLivePage(): Promise<Buffer> {
  const { html, policy } = await document();
  const packed = brotliCompressSync(html, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: Buffer.byteLength(html),
    },
  });
  return Buffer.concat([Buffer.from(`${policy}\n`, "latin1"), packed]);
}

async function document(): Promise<{ html: string; policy: string }> {
  const { outputFiles } = await build({
    entryPoints: [join(folder, "main.ts"), join(folder, "style.css")],
    outdir: folder,
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform: "browser",
    // uPlot's names its ES module there.
    mainFields: ["module", "main"],
    target: ["chrome120", "firefox120", "safari17"],
    charset: "utf8",
    legalComments: "none",
  });
  const text = (ending: string) => (outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "").trim();
  // Nothing in them may end its element.
  const style = text(".css").replaceAll("</", "<\\/");
  const script = text(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  const html = readFileSync(join(folder, "index.html"), "utf8")
    .replace(/^\s*<!--[\s\S]*?-->\n/gm, "")
    .replace(/\n\s+/g, "\n")
    .replace("/* style */", () => style)
    .replace("/* script */", () => script);
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
  return { html, policy };
}

/** As Content Security Policy 3 names an inline element: by what stands between its tags. */
function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

if (import.meta.main) process.stdout.write(await buildLivePage());
