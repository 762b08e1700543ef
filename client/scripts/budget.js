// Refuses a build whose page loads too much: a phone at the edge of a field has a slow link and an old processor.
// Counts every chunk of JavaScript, also those that load late. Counts no styles and no pictures, and never changes a file.
import { gzipSync } from "node:zlib";

/**
 * @param {number} most Bytes of JavaScript after gzip; the build fails above them and writes nothing.
 * @returns {import("vite").Plugin}
 */
export function budget(most) {
  return {
    name: "budget",
    apply: "build",
    generateBundle: {
      // After everything that could still change a chunk.
      order: "post",
      handler(_options, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
        const bytes = chunks.reduce((sum, chunk) => sum + gzipSync(chunk.code, { level: 9 }).length, 0);
        const figure = `JavaScript after gzip: ${bytes} bytes of ${most}`;
        if (bytes > most) this.error(`${figure}: the page would load too much`);
        this.info(figure);
      },
    },
  };
}
