import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { suitesFolder } from "../support/installed.ts";

/** pg-pool and pg of the oldest line that is supported, or the installed ones. */
export type Line = "3.6" | "newest";
export type Mode = "bare" | "watched" | "recycled" | "recycled with keepOnSqlError: false";

export interface SuiteRun {
  /** "passed" or "failed: " and the message, by the full title of the test. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** "by itself" when all tests were run and the process ended; else the cause. */
  readonly end: string;
}

const TIME_LIMIT_MILLIS = 55_000;
const preload = fileURLToPath(new URL("preload.mjs", import.meta.url));
const require = createRequire(import.meta.url);
// The tarballs of newer lines (3.9 and later) contain no tests.
const suiteFolder = dirname(require.resolve("pg-pool-3.6/package.json"));

/** Runs pg-pool's own tests on a pg-pool of that line, with every pool in that mode. */
export async function runSuite(line: Line, mode: Mode): Promise<SuiteRun> {
  const { port, user, password, trusting } = inject("suites");
  const child = spawn(
    process.execPath,
    [
      // test/setup.js exits at the first warning, and pg 8.23 deprecates the `Promise` option that a test passes.
      ...["--no-deprecation", "--import", preload, join(suitesFolder, "node_modules/mocha/bin/mocha.js")],
      ...["--reporter", "json-stream", "--timeout", "10000", ...testFiles()],
    ],
    {
      cwd: suiteFolder,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIME_LIMIT_MILLIS,
      env: {
        ...process.env,
        ...{ SUITE_LINE: line, SUITE_MODE: mode },
        ...{ PGHOST: "127.0.0.1", PGPORT: String(port), PGUSER: user, PGPASSWORD: password },
        PGDATABASE: trusting,
      },
    },
  );
  const exited = once(child, "exit");
  const [{ byTitle, isComplete }, complaints, [exitCode, signal]] = await Promise.all([
    readOutcomes(createInterface(child.stdout)),
    text(child.stderr),
    exited,
  ]);
  if (isComplete && !signal) return { outcomes: byTitle, end: "by itself" };
  const cause = `${signal ?? `exit code ${exitCode}`} ${isComplete ? "after" : "before"} the last test`;
  return { outcomes: byTitle, end: `${cause}: ${complaints}` };
}

function testFiles(): string[] {
  const files = readdirSync(join(suiteFolder, "test")).filter((name) => name.endsWith(".js"));
  return files.sort().map((name) => join("test", name));
}

interface Reported {
  readonly fullTitle: string;
  readonly err?: string;
}

async function readOutcomes(lines: AsyncIterable<string>) {
  const byTitle = new Map<string, string>();
  let isComplete = false;
  for await (const line of lines) {
    // The tests print lines of their own.
    if (/^\["end",/.test(line)) isComplete = true;
    if (!/^\["(pass|fail)",/.test(line)) continue;
    const [, { fullTitle, err }] = JSON.parse(line) as [string, Reported];
    // The first failure counts: a test that calls `done` twice is reported twice.
    if (!byTitle.get(fullTitle)?.startsWith("failed")) {
      byTitle.set(fullTitle, err === undefined ? "passed" : `failed: ${err}`);
    }
  }
  return { byTitle, isComplete };
}
