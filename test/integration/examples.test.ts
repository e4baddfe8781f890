import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { allExamples, type Example, moduleOf } from "../support/examples.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const MINUTE = 60_000;

/** Examples that are neither checked nor run, by what they import, with the reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "@opentelemetry/sdk-node": "not a dependency: forty packages for one example",
};

const examples = await allExamples();
const exceptionOf = ({ code }: Example) => Object.keys(EXCEPTIONS).find((name) => code.includes(`"${name}"`));
const checked = examples.filter((example) => !exceptionOf(example));

/** In the package, so that `poolscope` is the package as it was built. */
let folder: string;
const fileOf = ({ name }: Example, extension: string) =>
  join(folder, `${name.replace(/\W+/g, "-")}.${extension}`);

beforeAll(async () => {
  folder = await mkdtemp("test/.examples-");
  for (const example of checked) {
    await writeFile(fileOf(example, "mts"), moduleOf(example));
    // Port 3000 may be taken.
    const { code } = await transform(moduleOf(example).replaceAll("3000", "0"), { loader: "ts" });
    await writeFile(fileOf(example, "mjs"), code);
  }
});

afterAll(() => rm(folder, { recursive: true }));

function environment(): NodeJS.ProcessEnv {
  const { host, port, user, password } = inject("postgres");
  return {
    PATH: process.env["PATH"],
    ...{ PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: "postgres" },
    SLACK_URL: "http://127.0.0.1:1/services/T0/B0/x",
    PAGERDUTY_ROUTING_KEY: "0123456789abcdef0123456789abcdef",
    OTEL_EXPORTER_PROMETHEUS_PORT: "0",
  };
}

test("README and docs have examples, and every exception is of one", () => {
  expect(checked.length).toBeGreaterThan(15);
  expect(new Set(examples.map(exceptionOf).filter(Boolean))).toEqual(new Set(Object.keys(EXCEPTIONS)));
});

test("every example of README and docs is right by TypeScript's strict rules", {
  timeout: MINUTE,
}, async () => {
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const config = join(folder, "tsconfig.json");
  await writeFile(
    config,
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: ["node"] }, include: ["*.mts"] }),
  );
  const { stdout } = await run("node_modules/.bin/tsc", ["-p", config]).catch((error) => error);
  expect(stdout).toBe("");
});

test.each(checked.map((example) => [example.name, example] as const))(
  "the example at %s runs",
  { timeout: MINUTE },
  async (_name, example) => {
    const runner = `await import(${JSON.stringify(join(process.cwd(), fileOf(example, "mjs")))}); process.exit(0)`;
    const { stderr } = await run(process.execPath, ["--input-type=module", "-e", runner], {
      env: environment(),
    });
    expect(stderr).toBe("");
  },
);

test("the example of draining names the place and the time of what was held", {
  timeout: MINUTE,
}, async () => {
  const example = checked.find(({ code }) => code.includes("unreturned")) as Example;
  const { code } = await transform(moduleOf(example), { loader: "ts" });
  const file = fileOf(example, "held.mjs");
  const short = code.replace(/timeoutMillis: [\de_]+/, "timeoutMillis: 50");
  await writeFile(file, `${short}\nawait pool.connect();\nconsole.log("held");\n`);
  const child = spawn(process.execPath, [file], { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let complaints = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    complaints += chunk;
  });
  const exited = once(child, "exit");
  try {
    await until(() => output.includes("held"), MINUTE / 2);
    child.kill("SIGTERM");
    await until(() => complaints.includes("held for"));
    expect(complaints).toMatch(/^held for \d[\d.]* s since .*held-?\.?mjs:\d+:\d+$/m);
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
});
