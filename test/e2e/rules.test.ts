import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { CASE_FILES, type CaseFile, RULE_FILES, type RuleCase } from "../support/rules.ts";

const run = promisify(execFile);

describe("promtool check rules", () => {
  it.each(RULE_FILES.map((path) => [basename(path), path]))(
    "has nothing to say about %s",
    async (_name, path) => {
      const { stdout } = await run("promtool", ["check", "rules", "--lint=all", "--lint-fatal", path]);
      expect(stdout).toMatch(/SUCCESS: [1-9]\d* rules found/);
    },
  );
});

// promtool has one verdict for a file: so that each case has a name and a result of its own, it is given one at a time.
describe.each(CASE_FILES.map((file) => [basename(file.path), file] as const))("%s", (_name, file) => {
  it.each(file.tests.map((test) => [test.name, test] as const))("%s", async (_case, test) => {
    expect(await verdict(file, test)).toMatch(/^Unit Testing: .*\n\s*SUCCESS$/);
  });
});

it("a case with a wrong expectation fails", async () => {
  const file = CASE_FILES.find(({ path }) => path.endsWith("saturation.test.yml")) as CaseFile;
  const test = file.tests[0] as RuleCase;
  const wrong = JSON.parse(JSON.stringify(test).replaceAll("4 callers wait", "5 callers wait"));
  expect(await verdict(file, wrong)).toContain("4 callers wait");
});

async function verdict(file: CaseFile, test: RuleCase): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "poolscope-rules-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "case.yml");
  // JSON is YAML.
  await writeFile(path, JSON.stringify({ ...file, path: undefined, tests: [test] }));
  const { stdout, stderr } = await run("promtool", ["test", "rules", path]).catch((error) => error);
  return `${stdout}${stderr}`.trim();
}
