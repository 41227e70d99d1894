/** What the base calls its script, in stack traces and among its assets. */
export const BASE_SCRIPT = "slipway.cjs";

/** V8's code cache in its asset, behind a byte that says where it begins: where V8 can use it as it lies (make-base.ts). */
export function codeCache(asset: ArrayBuffer): Uint8Array {
  return new Uint8Array(asset, new Uint8Array(asset)[0], asset.byteLength - 8);
}
