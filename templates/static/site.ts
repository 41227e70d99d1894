// What is served, and how.

/** Files whose name changes with their content, as bundlers make them: app-9f86d081.js. Browsers keep them for a year. */
export const hashed = /^\/assets\/.*[.-][0-9a-f]{8,}\./;

export const site = {
  fsRoot: new URL("./public/", import.meta.url),
  immutable: hashed,
  // What is not there. A single-page application wants its own page instead: fallback: "index.html"
  notFound: "404.html",
  // /about is about.html.
  cleanUrls: true,
  headers: {
    // Scripts, styles and images of this site alone.
    "content-security-policy": "default-src 'self'",
    "referrer-policy": "no-referrer",
  },
} as const;
