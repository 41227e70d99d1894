/**
 * The bases that `compile` starts from: this system's own, out of our own executable, and those of others, out of the
 * targets pack beside it.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openPayload, ownPayload } from "../bundle/executable.ts";
import { hostTarget, type Target } from "../bundle/targets.ts";
import { PackError, TargetsPack } from "../bundle/targets-pack.ts";
import { Failure } from "./errors.ts";
import { version } from "./version.ts";
import { writeExecutable } from "./write-executable.ts";

/** A base: it may be too large to be held in memory for nothing. */
export interface Base {
  readonly length: number;
  pieces(): Iterable<Uint8Array>;
}

/** The pack's name. */
export const PACK = "slipway-targets.pack";

/** Where other systems' bases are looked for. */
export function packPath(): string {
  const named = process.env.SLIPWAY_TARGETS;
  if (named) return named;
  if (ownPayload() !== undefined) return join(dirname(realpathSync(process.execPath)), PACK);
  return join(import.meta.dirname, "../../dist", PACK);
}

/** How to get the pack where it is missing. */
export function howToGetPack(): string {
  return `put the ${PACK} of slipway ${version} there (SLIPWAY_TARGETS names another place); in the repository, npm run build:targets makes it`;
}

/** The bases of one compilation. What was unpacked once serves for the next target. */
export class Bases {
  #pack: TargetsPack | undefined;
  readonly #unpacked = new Map<string, Buffer>();

  async of(target: Target): Promise<Base> {
    const host = hostTarget();
    if (target === host) return ownBase();
    const pack = this.#open(target);
    const reference = (name: string): Buffer | undefined => {
      let known = this.#unpacked.get(name);
      if (known === undefined && name === host?.name) known = whole(ownExecutable());
      if (known === undefined) known = pack.base(name, reference);
      this.#unpacked.set(name, known);
      return known;
    };
    try {
      const bytes = pack.base(target.name, reference);
      return { length: bytes.length, pieces: () => [bytes] };
    } catch (error) {
      throw error instanceof PackError ? new Failure(error.message) : error;
    }
  }

  close(): void {
    this.#pack?.close();
  }

  #open(target: Target): TargetsPack {
    this.#pack ??= openPack();
    if (this.#pack === undefined)
      throw new Failure(`there is no base for ${target.name} here, ${packPath()} is missing: ${howToGetPack()}`);
    if (!this.#pack.has(target.name))
      throw new Failure(`${this.#pack.path} has no base for ${target.name}: ${howToGetPack()}`);
    return this.#pack;
  }
}

/** The pack beside us, if there is one and it is of our own build. */
export function openPack(): TargetsPack | undefined {
  const path = packPath();
  if (!existsSync(path)) return undefined;
  try {
    const pack = new TargetsPack(path);
    const { build } = ownMeta();
    if (build !== undefined && pack.build !== build) {
      pack.close();
      throw new Failure(
        `${path} is of another build of slipway (${pack.slipway}), this is ${version}: ${howToGetPack()}`,
      );
    }
    return pack;
  } catch (error) {
    if (error instanceof PackError) throw new Failure(error.message);
    throw error;
  }
}

function ownMeta(): { build?: string } {
  const own = ownPayload();
  if (own !== undefined) return own.meta;
  const built = join(import.meta.dirname, "../../dist/slipway");
  const payload = existsSync(built) ? openPayload(built) : undefined;
  payload?.close();
  return payload?.meta ?? {};
}

/** All of it in one piece, the caller's own. */
export function whole(base: Base): Buffer {
  const bytes = Buffer.allocUnsafeSlow(base.length);
  let offset = 0;
  for (const piece of base.pieces()) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}

/** Out of our own executable, or what `npm run build` left in dist when we run from source. */
function ownExecutable(): Base {
  const own = ownPayload();
  if (own !== undefined) return { length: own.baseLength, pieces: () => own.base() };
  const file = join(import.meta.dirname, "../../dist/base");
  if (!existsSync(file)) throw new Failure("there is no dist/base yet, on which programs are built: npm run build");
  if (openPayload(file) !== undefined) throw new Failure(`${file} is not a bare base: npm run build`);
  const bytes = readFileSync(file);
  return { length: bytes.length, pieces: () => [bytes] };
}

function ownBase(): Promise<Base> | Base {
  return ownPayload() !== undefined || import.meta.filename.endsWith(".ts") ? ownExecutable() : packageBase();
}

/** An npm package is too small for a base, but has all that one is made of: the first compile makes it and keeps it. */
async function packageBase(): Promise<Base> {
  const kit = join(import.meta.dirname, "../../kit.json");
  const kept = join(import.meta.dirname, "../../base");
  if (!existsSync(kept)) {
    const { makeBase } = await import("../bundle/make-base.ts");
    const bytes = makeBase(JSON.parse(readFileSync(kit, "utf8")), tmpdir());
    try {
      writeExecutable(kept, [bytes]);
    } catch {
      // A package that may not be written to: made anew each time.
      return { length: bytes.length, pieces: () => [bytes] };
    }
  }
  const bytes = readFileSync(kept);
  return { length: bytes.length, pieces: () => [bytes] };
}
