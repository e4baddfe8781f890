import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const VITEST = "node_modules/vitest/vitest.mjs";

test("a run with a failing test exits with 1 and removes its PostgreSQL", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-failing-run-"));
  await chmod(folder, 0o755);
  onTestFinished(() => rm(folder, { recursive: true }));
  const report = join(folder, "report.json");
  const run = spawn(
    process.execPath,
    [
      ...[VITEST, "run", "--config", "test/fixtures/failing-run/vitest.config.ts"],
      ...["--reporter=json", `--outputFile.json=${report}`],
    ],
    { env: { ...environment(), TMPDIR: folder }, stdio: "ignore" },
  );

  expect(await once(run, "exit")).toEqual([1, null]);
  expect(JSON.parse(await readFile(report, "utf8"))).toMatchObject({ numPassedTests: 1, numFailedTests: 1 });
  expect(await readdir(folder)).toEqual(["report.json"]);
});

/** Without what the outer run has put there for its own workers. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
}
