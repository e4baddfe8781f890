import { defineConfig, type ViteUserConfig } from "vitest/config";

// One PostgreSQL serves the whole run; every test makes pools, and where it matters databases, of its own.
const shared = { globalSetup: ["test/support/global-postgres.ts"], testTimeout: 30_000, hookTimeout: 60_000 };

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "express-5",
          env: { EXPRESS_MAJOR: "5" },
          include: ["test/**/*.test.ts"],
          // They need more than `npm ci` installs: vitest.e2e.config.ts, vitest.suites.config.ts.
          exclude: ["test/e2e/**", "test/suites/**"],
        },
      },
      {
        // What is most likely to differ, on the oldest pg that is supported.
        test: {
          ...shared,
          name: "oldest-pg",
          env: { PG_LINE: "oldest" },
          include: ["test/integration/{watch,truth,closes,leaks-and-holders,queries,recycling-*}.test.ts"],
        },
      },
      {
        // The same router tests with the router itself, and the application around it, on Express 4.
        resolve: { alias: [{ find: /^express$/, replacement: "express4" }] },
        test: {
          ...shared,
          name: "express-4",
          env: { EXPRESS_MAJOR: "4" },
          include: ["test/{health,middleware}/**/*.test.ts"],
        },
      },
    ],
  },
});

export default config;
