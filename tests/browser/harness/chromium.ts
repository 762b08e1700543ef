// Where the browser is, and what it needs to start. Never downloads one.

/** Debian's; another one can be named for a machine that has none. */
export const CHROMIUM = process.env["BROWSER_TESTS_CHROMIUM"] ?? "/usr/bin/chromium";

/** Chromium refuses to put root into its sandbox. */
export const isRoot = process.getuid?.() === 0;
