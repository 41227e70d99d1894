/** From a request to a file's response (RFC 9110): which file, which form of it, which part. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Coding, codingsFor } from "../http/compression/accept-encoding.ts";
import { shrinks } from "../http/compression/worth.ts";
import { howToEmbed, isEmbedded } from "../runtime/assets.ts";
import { NotFound } from "../runtime/errors.ts";
import { precondition, rangeHolds } from "./conditional.ts";
import { contentType } from "./content-type.ts";
import { type Absent, openFile, realPath, type StaticFile } from "./file.ts";
import { checkOptions, extraFields, type ServeDirOptions, type ServeFileOptions } from "./options.ts";
import { readPath, trimmed } from "./path.ts";
import { readRange } from "./range.ts";

const INDEX = "index.html";
const FOR_EVER = "public, max-age=31536000, immutable";
const ENDINGS: Readonly<Record<Coding, string>> = { zstd: ".zst", br: ".br", gzip: ".gz" };
const METHODS = "GET, HEAD";

/** The folder as it is written, without a slash at the end, and as it really is: undefined where links don't matter. */
interface Root {
  readonly path: string;
  real: string | undefined;
}
const roots = new Map<string, Root>();
/** Folders that a program serves are few; who makes them up as it goes looks them up each time. */
const ROOTS = 64;

export async function serveFolder(request: Request, options: ServeDirOptions): Promise<Response> {
  checkOptions(options, "serveDir");
  const { url, method } = request;
  if (method !== "GET" && method !== "HEAD") return refusedMethod(options);
  const { pathname, search } = new URL(url);
  const root = await rootOf(options);
  const { names, malformed } = readPath(pathname, options.urlRoot, options.showDotfiles === true);
  if (malformed) return plain(400, "the path is not properly encoded", options);
  if (names !== undefined) {
    const below = names.join("/");
    const isFolder = names.at(-1) === "";
    const showIndex = options.showIndex !== false;
    let found: StaticFile | Absent = "ENOENT";
    let name = below;
    if (!isFolder) found = await within(root, below);
    else if (showIndex) found = await within(root, (name = below + INDEX));
    if (found === "EISDIR" && !isFolder && showIndex) {
      const index = await within(root, `${below}/${INDEX}`);
      if (typeof index === "object") {
        index.close();
        return toFolder(names, search, options);
      }
    }
    if ((found === "ENOENT" || found === "EISDIR") && !isFolder && options.cleanUrls === true) {
      found = await within(root, (name = `${below}.html`));
    }
    if (typeof found === "object") return await answer(request, found, `${root.path}/${name}`, root, options, pathname);
    if (found === "EACCES" || found === "EPERM") return plain(403, "forbidden", options);
  }
  return await nothing(request, root, names !== undefined, options);
}

export async function serveOne(request: Request, path: string | URL, options: ServeFileOptions): Promise<Response> {
  checkOptions(options, "serveFile");
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") return refusedMethod(options);
  const name = toPath(path);
  const found = await openFile(name, undefined);
  if (typeof found === "object") return await answer(request, found, name, undefined, options, "");
  if (found === "EACCES" || found === "EPERM") return plain(403, "forbidden", options);
  return plain(404, "not found", options);
}

function toPath(path: string | URL): string {
  if (typeof path === "string" && !path.startsWith("file:")) return resolve(path);
  return fileURLToPath(path);
}

async function rootOf({ fsRoot = ".", followSymlinks }: ServeDirOptions): Promise<Root> {
  const key = `${followSymlinks === true ? "*" : ""}${fsRoot}`;
  const known = roots.get(key);
  if (known !== undefined) return known;
  const path = toPath(fsRoot).replace(/\/+$/, "");
  const root: Root = { path, real: undefined };
  if (isEmbedded(path)) {
    // Its links were followed when it was compiled.
  } else {
    try {
      const real = await realPath(path === "" ? "/" : path);
      if (followSymlinks !== true) root.real = real;
    } catch (cause) {
      const cure = howToEmbed(path) || ": make it, or name another";
      throw new NotFound(`serveDir: there is no folder ${path} (fsRoot)${cure}`, { cause });
    }
  }
  if (roots.size < ROOTS) roots.set(key, root);
  return root;
}

/** A file below the root. */
async function within(root: Root, below: string): Promise<StaticFile | Absent> {
  const path = `${root.path}/${below}`;
  const found = await openFile(path, root.real);
  if (found !== "EXDEV" || root.real === undefined) return found;
  // Or the root itself is a link, and leads elsewhere since a new version was put there.
  const real = await realPath(root.path === "" ? "/" : root.path).catch(() => root.real);
  if (real === root.real) return "EXDEV";
  root.real = real;
  return await openFile(path, root.real);
}

/** What is not there: 404, or the page that the program has for it, if the client wants a page. */
async function nothing(request: Request, root: Root, named: boolean, options: ServeDirOptions): Promise<Response> {
  const { fallback, notFound } = options;
  const page = (named ? fallback : undefined) ?? notFound;
  if (page === undefined) return plain(404, "not found", options);
  if (/\btext\/html\b/i.test(request.headers.get("accept") ?? "")) {
    const found = await within(root, page.replace(/^\/+/, ""));
    if (typeof found !== "object") {
      throw new NotFound(`serveDir: there is no ${page} in ${root.path}, which is to be shown for what is not there`);
    }
    const path = `${root.path}/${page}`;
    if (page === fallback) return await answer(request, found, path, root, options, "", ["vary", "accept"]);
    return await wholePage(request, found, path, options);
  }
  const response = plain(404, "not found", options);
  response.headers.append("vary", "accept");
  return response;
}

/** A page that says that there is none has no validators: it is nobody's representation. */
async function wholePage(
  request: Request,
  file: StaticFile,
  path: string,
  options: ServeDirOptions,
): Promise<Response> {
  const headers = fieldsFor(options, [
    ["content-type", contentType(path)],
    ["content-length", `${file.size}`],
    ["cache-control", "no-cache"],
    ["vary", "accept"],
  ]);
  if (request.method === "HEAD") {
    file.close();
    return new Response(null, { status: 404, headers });
  }
  return new Response(file.stream({ start: 0, end: file.size }), { status: 404, headers });
}

/** The file, as the client wants and accepts it. Closes it where it is not sent. */
async function answer(
  request: Request,
  plainFile: StaticFile,
  path: string,
  root: Root | undefined,
  options: ServeDirOptions,
  pathname: string,
  vary?: [string, string],
): Promise<Response> {
  const type = contentType(path);
  const varies = options.precompressed !== false && shrinks(type);
  let file = plainFile;
  let coding: Coding | undefined;
  const asked = request.headers;
  if (varies) {
    for (const one of codingsFor(asked.get("accept-encoding"))) {
      const sibling = await openFile(path + ENDINGS[one], root?.real);
      if (typeof sibling !== "object") continue;
      // Older than what it was made of: somebody forgot to make it again.
      if (
        sibling.modified === undefined ||
        plainFile.modified === undefined ||
        sibling.modified >= plainFile.modified
      ) {
        plainFile.close();
        file = sibling;
        coding = one;
        break;
      }
      sibling.close();
    }
  }
  const constant = options.immutable?.test(pathname) === true;
  const fields: [string, string][] = [
    ["etag", file.etag],
    ["cache-control", constant ? FOR_EVER : (options.cacheControl ?? "no-cache")],
  ];
  if (file.modified !== undefined) fields.push(["last-modified", new Date(file.modified * 1000).toUTCString()]);
  if (vary !== undefined) fields.push(vary);
  if (varies) fields.push(["vary", "Accept-Encoding"]);
  const condition = precondition(asked, file);
  if (condition === 304) {
    file.close();
    return new Response(null, { status: 304, headers: fieldsFor(options, fields) });
  }
  if (condition === 412) {
    file.close();
    return plain(412, "the file is another one by now", options);
  }
  fields.push(["content-type", type], ["accept-ranges", "bytes"]);
  if (coding !== undefined) fields.push(["content-encoding", coding]);
  const range =
    request.method === "GET" && rangeHolds(asked, file) ? readRange(asked.get("range"), file.size) : undefined;
  if (range === "unsatisfiable") {
    file.close();
    const response = plain(416, "the file has no such part", options);
    response.headers.set("content-range", `bytes */${file.size}`);
    return response;
  }
  const part = range ?? { start: 0, end: file.size };
  if (range !== undefined) fields.push(["content-range", `bytes ${part.start}-${part.end - 1}/${file.size}`]);
  fields.push(["content-length", `${part.end - part.start}`]);
  const headers = fieldsFor(options, fields);
  const status = range === undefined ? 200 : 206;
  if (request.method === "HEAD" || part.end === part.start) {
    file.close();
    return new Response(request.method === "HEAD" ? null : "", { status, headers });
  }
  return new Response(file.stream(part), { status, headers });
}

/** Made of the names, never of what the client wrote: no "//host" can be in it. */
function toFolder(names: readonly string[], search: string, options: ServeDirOptions): Response {
  const path = [trimmed(options.urlRoot ?? ""), ...names.map(encodeURIComponent), ""].join("/");
  const headers = fieldsFor(options, [["location", path + search]]);
  return new Response(null, { status: 301, headers });
}

function refusedMethod(options: ServeDirOptions): Response {
  const response = plain(405, `only ${METHODS} here`, options);
  response.headers.set("allow", METHODS);
  return response;
}

function plain(status: number, text: string, options: ServeDirOptions): Response {
  return new Response(`${text}\n`, { status, headers: fieldsFor(options, []) });
}

/** The program's own fields go before ours. */
function fieldsFor(options: ServeDirOptions, ours: readonly [string, string][]): Headers {
  const headers = new Headers([["x-content-type-options", "nosniff"]]);
  for (const [name, value] of ours) headers.append(name, value);
  if (options.enableCors === true) headers.set("access-control-allow-origin", "*");
  for (const [name, value] of extraFields(options)) headers.set(name, value);
  return headers;
}
