import { defineConfig, type ViteUserConfig } from "vitest/config";

// Needs Debian's `prometheus`, `prometheus-alertmanager` and `pgbouncer`, which .ci/run installs, and `npm run build:collector`.
const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/support/global-postgres.ts"],
    // One stack at a time: it is a dozen processes.
    fileParallelism: false,
    include: ["test/e2e/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

export default config;
