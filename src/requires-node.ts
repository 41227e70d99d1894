/**
 * The first module of the npm library (scripts/build-npm.ts puts it there): one sentence instead of the TypeError that
 * an older Node would give somewhere inside. The command line starts a Node of its own and needs no such check.
 */

// Node 22 and 22.3 brought them; all else that the library uses is older.
if (typeof Promise.withResolvers !== "function" || typeof process.getBuiltinModule !== "function") {
  throw new Error(
    `import "slipway" needs Node 22.3 or newer, and this is ${process.version}; npx slipway run brings its own Node`,
  );
}

export {};
