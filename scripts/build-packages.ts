/**
 * `npm run build:packages`: what is published. dist/packages/slipway is the package itself, and @slipway/NAME in
 * dist/packages/NAME the executable of one system with its targets pack; the first depends on all of them optionally, and
 * npm installs the one whose `os` and `cpu` fit. As esbuild does it.
 *
 * It takes what `npm run build:targets -- --slipway` and `npm run build:npm` have made, and says what is missing. Names on the
 * command line leave the others out.
 */
import { cpSync, existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { parseTargets, TARGETS, type Target } from "../src/bundle/targets.ts";
import { PACK } from "../src/cli/bases.ts";

const repository = resolve(import.meta.dirname, "..");
const packages = join(repository, "dist/packages");
const { version, license, homepage, repository: source, bugs } = manifest;

function packageOf(target: Target): void {
  const made = join(repository, "dist/targets", target.name);
  const program = `slipway${target.suffix}`;
  const folder = join(packages, target.name);
  mkdirSync(folder);
  for (const name of [program, PACK]) {
    if (!existsSync(join(made, name)))
      throw new Error(`there is no dist/targets/${target.name}/${name}: npm run build:targets -- --slipway`);
    linkSync(join(made, name), join(folder, name));
  }
  for (const name of ["LICENSE", "THIRD_PARTY_LICENSES"]) cpSync(join(repository, name), join(folder, name));
  const libc = target.platform === "linux" ? { libc: ["glibc"] } : {};
  const about = `Slipway for ${target.name}: the executable that npm installs with the package slipway.`;
  write(folder, {
    ...{ name: `@slipway/${target.name}`, version, description: about, license, homepage, repository: source, bugs },
    ...{ os: [target.platform], cpu: [target.arch], ...libc, files: [program, PACK, "THIRD_PARTY_LICENSES"] },
    // Packed by pnpm and yarn too, they stay files.
    preferUnplugged: true,
  });
}

/** The library and the launcher: as `npm pack` takes it from the repository, with executables in the place of Node. */
function mainPackage(targets: readonly Target[]): void {
  const folder = join(packages, "slipway");
  mkdirSync(folder);
  if (!existsSync(join(repository, "dist/npm"))) throw new Error("there is no dist/npm: npm run build:npm");
  for (const name of [...manifest.files, "LICENSE", "README.md"])
    cpSync(join(repository, name), join(folder, name), { recursive: true });
  const { scripts, devDependencies, allowScripts, optionalDependencies, ...published } = manifest;
  const executables = Object.fromEntries(targets.map(({ name }) => [`@slipway/${name}`, version]));
  write(folder, { ...published, optionalDependencies: executables });
}

function write(folder: string, content: object): void {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(content, undefined, 2)}\n`);
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const targets = names.length === 0 ? TARGETS : parseTargets(names.join(","));
  rmSync(packages, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  for (const target of targets) packageOf(target);
  mainPackage(targets);
  console.log(`dist/packages: slipway, ${targets.map(({ name }) => `@slipway/${name}`).join(", ")}`);
}
