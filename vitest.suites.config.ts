import { defineConfig, type ViteUserConfig } from "vitest/config";

// Needs `npm run install:suites`, and for pg-native Debian's `libpq-dev`: .ci/run has both.
const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/suites/support/global-postgres.ts"],
    // The suites compare runs that race with the clock: one file at a time leaves them the machine.
    fileParallelism: false,
    include: ["test/suites/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});

export default config;
