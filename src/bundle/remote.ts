/** `https:` imports, which nothing fetches: what to install instead, in one line. */

/** Packages of deno.land/x under their names of today. */
const moved: Readonly<Record<string, string>> = {
  oak: "jsr:@oak/oak",
  cliffy: "jsr:@cliffy/command",
  postgres: "jsr:@db/postgres",
  sqlite: "node:sqlite",
  sqlite3: "node:sqlite",
  djwt: "jsr:@zaubrik/djwt",
  deno_dom: "jsr:@b-fuze/deno-dom",
  dotenv: "--env-file",
  cors: "npm:cors",
  redis: "npm:redis",
  mysql: "npm:mysql2",
  mongo: "npm:mongodb",
  bcrypt: "npm:bcryptjs",
  graphql_deno: "npm:graphql",
  dejs: "npm:ejs",
};

/** Folders of deno.land/std under their names of today. */
const renamed: Readonly<Record<string, string>> = {
  "testing/asserts.ts": "jsr:@std/assert",
  "testing/bench.ts": "Deno.bench",
  "http/server.ts": "Deno.serve",
  flags: "jsr:@std/cli",
  hash: "jsr:@std/crypto",
  archive: "jsr:@std/tar",
  signal: "Deno.addSignalListener",
  permissions: "Deno.permissions",
};

/** What is at hand in place of the module at `url`, as a specifier or a word of ours; undefined when nobody knows. */
export function replacementOf(url: string): string | undefined {
  const { host, pathname } = new URL(url);
  const path = decodeURIComponent(pathname).slice(1);
  switch (host) {
    case "deno.land": {
      const [, std, inStd] = /^(?:x\/)?(std)(?:@[^/]*)?\/(.*)$/.exec(path) ?? [];
      if (std !== undefined) {
        const [folder, ...rest] = inStd.split("/");
        const known = renamed[inStd] ?? renamed[folder];
        if (folder === "node") return `node:${rest.join("/").replace(/\.ts$/, "")}`;
        const sub = rest.join("/").replace(/\.ts$/, "").replaceAll("_", "-");
        return (
          known ??
          `jsr:@std/${folder.replace(/\.ts$/, "").replaceAll("_", "-")}${sub === "" || sub === "mod" ? "" : `/${sub}`}`
        );
      }
      const [, name, version = ""] = /^x\/([^/@]+)(@v?[^/]*)?/.exec(path) ?? [];
      if (name === undefined) return undefined;
      return moved[name] ?? `npm:${name}${version.replace("@v", "@")}`;
    }
    case "jsr.io": {
      const [, name, at, version = at] = /^(@[^/]+\/[^/@]+)(?:@([^/]*)|\/(\d[^/]*))?/.exec(path) ?? [];
      return name && `jsr:${name}${version ? `@${version}` : ""}`;
    }
    case "esm.sh":
    case "cdn.esm.sh": {
      const rest = path.replace(/^(v\d+|stable|pin)\//, "").replace(/^\*/, "");
      if (rest.startsWith("jsr/")) return ofPackage("jsr:", rest.slice(4));
      return /^(gh|pr)\//.test(rest) ? undefined : ofPackage("npm:", rest.replace(/&[^/]*/, ""));
    }
    case "unpkg.com":
    case "cdn.skypack.dev":
      return ofPackage("npm:", path.replace(/^(-|pin)\//, ""), false);
    case "cdn.jsdelivr.net":
      return path.startsWith("npm/") ? ofPackage("npm:", path.slice(4), false) : undefined;
    case "ga.jspm.io":
      return path.startsWith("npm:") ? ofPackage("npm:", path.slice(4), false) : undefined;
    default:
      return undefined;
  }
}

/** Paths inside of a CDN's build are its own: only esm.sh's are the package's. */
function ofPackage(scheme: string, path: string, withPath = true): string | undefined {
  const [, name, version = "", sub = ""] = /^((?:@[^/]+\/)?[^/@]+)(@[^/]*)?(\/.*)?$/.exec(path) ?? [];
  if (name === undefined) return undefined;
  const inside = withPath && !/\/(es\d+|esnext|deno|denonext|dist|lib)\b|\.m?[jt]s$/.test(sub) ? sub : "";
  return `${scheme}${name}${version}${inside}`;
}

/** The sentence for an import of `url`. */
export function refuseRemote(url: string): string {
  const instead = replacementOf(url);
  const nothing = `${url}: nothing is fetched from the network`;
  if (instead === undefined) {
    return `${nothing}: save the file in the project and import that, or let "imports" of deno.json name what stands for it`;
  }
  if (instead.startsWith("--")) return `${nothing}: run with ${instead}, which needs no import`;
  if (!/^(npm|jsr):/.test(instead)) {
    return `${nothing}: ${instead.startsWith("node:") ? `import "${instead}" instead` : `use ${instead}, which is built in`}`;
  }
  return `${nothing}: ${installs(instead)}, and import "${instead}"`;
}

/** The command that brings a package: `npm install hono@4` for `npm:hono@4/jsx`, `npx jsr add @std/path` for `jsr:@std/path`. */
export function installs(specifier: string): string {
  const [, scheme, name] = /^(npm|jsr):\/?((?:@[^/]+\/)?[^/]+)/.exec(specifier) ?? [];
  if (name === undefined)
    return /^@std\//.test(specifier) ? `npx jsr add ${packageOf(specifier)}` : `npm install ${packageOf(specifier)}`;
  const word = /[<>|*^ ]/.test(name) ? `'${name}'` : name;
  return `${scheme === "jsr" ? "npx jsr add" : "npm install"} ${word}`;
}

function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}
