/** What the live page is called among the base's assets, and beside page.ts in the npm package. */
export const LIVE_PAGE = "live page";
