// How the console is built and developed. Never names a foreign host: what it makes must pass
// `default-src 'self'`, so nothing is inlined, neither small assets nor the preload polyfill.
import { defineConfig } from "vitest/config";
import { budget } from "./scripts/budget.js";

/** Bytes of all JavaScript after gzip. Raise it knowingly, or not at all. */
const MOST_JAVASCRIPT = 45_000;

const gateway = "http://127.0.0.1:8001";

// The Host header stays that of the page, or the gateway would take the page for a foreign one.
const routes = ["/socket.io", "/systems", "/ws", "/manual", "/timer", "/stop", "/history", "/healthz", "/readyz"];
const proxy = Object.fromEntries(routes.map((route) => [route, { target: gateway, changeOrigin: false, ws: true }]));

export default defineConfig({
  base: "/",
  plugins: [budget(MOST_JAVASCRIPT)],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    port: 3000,
    strictPort: true,
    proxy,
  },
  test: {
    include: ["src/**/*.test.ts"],
  },
});
