/**
 * THIRD_PARTY_LICENSES: what the executables carry of other people's work, with their licences' texts.
 *
 *   node scripts/licenses.ts           writes the file
 *   node scripts/licenses.ts --check   fails when it is out of date
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "..");
const FILE = join(repository, "THIRD_PARTY_LICENSES");

interface Component {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly use: string;
  readonly text: string;
}

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The whole text: a table of contents, then each licence. */
export function licenses(): string {
  const components = [nodeItself(), ...packages(), ...within()];
  const list = components.map(({ name, version, license, use }) => `  ${name} ${version} (${license}): ${use}`);
  const head = `Slipway's executables, and the servers that it compiles, contain the following works of others.
Slipway itself is under the licence in LICENSE.

${list.join("\n")}
`;
  const line = "=".repeat(80);
  return [
    head,
    ...components.map(({ name, version, text }) => `${line}\n${name} ${version}\n${line}\n\n${text.trim()}\n`),
  ].join("\n");
}

/** The same version on every system, so whichever of its packages is installed here has the licence. */
function nodeItself(): Component {
  const folder = readdirSync(join(repository, "node_modules")).find((name) =>
    /^node-(bin-)?(linux|darwin|win)-/.test(name),
  );
  if (folder === undefined) throw new Error("node_modules has no package of Node itself: npm install");
  const { version } = manifest(folder);
  return {
    name: "Node.js",
    version,
    license: "MIT and others",
    use: "the runtime in every executable",
    text: licenseText(folder),
  };
}

/** Our dependencies and theirs. */
function packages(): Component[] {
  const uses: Record<string, string> = {
    koffi: "calls into the operating system, in every executable",
    esbuild: "the bundler, in slipway only",
    commander: "the command line, in slipway only",
    marked: "reads the guides that slipway help shows, in slipway only",
    "prom-client": "the text of metrics, in every executable",
    tdigest: "part of prom-client",
    bintrees: "part of prom-client",
    "@opentelemetry/api": "part of prom-client",
    uplot: "draws the charts of the admin port's live page, in every executable",
    "@babel/parser": "reads the sources that slipway check looks at, in slipway only",
  };
  const found = new Map<string, Component>();
  const visit = (name: string) => {
    if (found.has(name)) return;
    const { version, license, dependencies } = manifest(name);
    found.set(name, {
      name,
      version,
      license,
      use: uses[name] ?? "the log, in every executable",
      text: licenseText(name),
    });
    // The parser's only dependency is the types of its tree, which no executable carries.
    if (name === "@babel/parser") return;
    for (const dependency of Object.keys(dependencies ?? {})) visit(dependency);
  };
  for (const dependency of Object.keys(manifest("..").dependencies ?? {})) visit(dependency);
  // Nobody needs the package itself who has the page.
  visit("uplot");
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What is compiled into those packages' native programs. */
function within(): Component[] {
  const { version } = manifest("koffi");
  const vendored = (name: string): Component => ({
    name,
    version: `in koffi ${version}`,
    license: "MIT",
    use: "part of koffi's addon",
    text: licenseText(`koffi/vendor/${name}`),
  });
  const esbuild = manifest("esbuild").version;
  return [
    vendored("node-addon-api"),
    vendored("node-api-headers"),
    {
      name: "Go",
      version: `in esbuild ${esbuild}`,
      license: "BSD-3-Clause",
      use: "esbuild's runtime and standard library",
      text: GO,
    },
  ];
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(repository, "node_modules", folder, "package.json"), "utf8"));
}

function licenseText(folder: string): string {
  const path = join(repository, "node_modules", folder);
  const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`${folder} has no licence file`);
  return readFileSync(join(path, file), "utf8").replaceAll("\r\n", "\n");
}

/** esbuild's package has only esbuild's own licence. */
const GO = `Copyright 2009 The Go Authors.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are
met:

   * Redistributions of source code must retain the above copyright
notice, this list of conditions and the following disclaimer.
   * Redistributions in binary form must reproduce the above
copyright notice, this list of conditions and the following disclaimer
in the documentation and/or other materials provided with the
distribution.
   * Neither the name of Google LLC nor the names of its
contributors may be used to endorse or promote products derived from
this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
"AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR
A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
`;

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const now = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
    if (now !== licenses()) {
      console.error("THIRD_PARTY_LICENSES is out of date: node scripts/licenses.ts");
      process.exit(1);
    }
  } else {
    writeFileSync(FILE, licenses());
  }
}
