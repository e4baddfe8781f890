import { defineConfig, type ViteUserConfig } from "vitest/config";

// Needs Debian's `prometheus` and `prometheus-alertmanager`, which .ci/run installs.
const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/support/global-postgres.ts"],
    include: ["test/e2e/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

export default config;
