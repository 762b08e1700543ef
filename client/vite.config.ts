// How the console is built and developed. Never names a foreign host: what it makes must pass
// `default-src 'self'`, so nothing is inlined, neither small assets nor the preload polyfill.
import { defineConfig } from "vitest/config";

const gateway = "http://127.0.0.1:8001";

export default defineConfig({
  base: "/",
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    port: 3000,
    strictPort: true,
    proxy: {
      "/socket.io": { target: gateway, ws: true },
      "/systems": { target: gateway, ws: true },
      "/ws": { target: gateway, ws: true },
      "/manual": gateway,
      "/timer": gateway,
      "/stop": gateway,
      "/history": gateway,
      "/healthz": gateway,
      "/readyz": gateway,
    },
  },
  test: {
    include: ["src/**/*.test.ts"],
  },
});
