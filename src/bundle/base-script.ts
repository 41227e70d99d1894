/** What the base calls its script, in stack traces and among its assets. */
export const BASE_SCRIPT = "slipway.cjs";

/** The asset that holds V8's code cache of it. */
export const CODE_CACHE = "code cache";

/**
 * V8's code cache in its asset, behind a byte that says where it begins: where V8 can use it as it lies (make-base.ts).
 * Undefined where there is none, in bases that were made on another system: V8 compiles what it needs then.
 */
export function codeCache(asset: ArrayBuffer): Uint8Array | undefined {
  if (asset.byteLength <= 8) return undefined;
  return new Uint8Array(asset, new Uint8Array(asset)[0], asset.byteLength - 8);
}
