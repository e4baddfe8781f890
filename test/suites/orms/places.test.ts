import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Examples } from "./support/examples.ts";

interface Place {
  readonly site?: string;
  readonly stack: readonly string[];
  readonly via: string;
}

interface Result {
  readonly failure: string;
  readonly acquired: number;
  readonly requests: number;
  readonly checkouts: number;
  readonly waits: number;
  readonly used: number;
  readonly errors: number;
  readonly query: Place;
  readonly transaction: Place;
  readonly burst: { readonly used: number; readonly waiting: number };
}

const LIBRARIES = ["Drizzle", "Kysely", "TypeORM", "NestJS", "Prisma", "MikroORM", "pg-promise"] as const;
/** Single statements of the others go through `pool.query`, whose connections have no place. */
const CONNECTS_FOR_QUERIES = new Set<string>(["Kysely", "TypeORM", "NestJS", "MikroORM", "pg-promise"]);

let examples: Examples;

beforeAll(async () => {
  examples = await Examples.prepare();
});
afterAll(() => examples?.remove());

/** `file:line` of the marked line. */
function marked(file: string, text: string, mark: string): string {
  const line = text.split("\n").findIndex((one) => one.endsWith(`// place: ${mark}`));
  return `${file}:${line + 1}`;
}

function databaseUrl(): string {
  const { user, password, port } = inject("suites");
  return `postgres://${user}:${password}@127.0.0.1:${port}/postgres`;
}

describe.each(LIBRARIES)("a pool used through %s", (library) => {
  const name = library.toLowerCase();
  const file = `${name}.ts`;
  let program: string;
  let result: Result;

  beforeAll(async () => {
    const probe = await readFile(join(import.meta.dirname, "probes", `${name}.mjs`), "utf8");
    program = await examples.write(file, library, probe);
    result = await examples.run<Result>(file, databaseUrl());
  });

  test("has the numbers that pg-pool itself reports", () => {
    expect(result).toMatchObject({ failure: "failed", errors: 1, used: 0, burst: { used: 3, waiting: 9 } });
    expect(result.requests).toBe(result.acquired);
    expect(result.checkouts).toBe(result.acquired);
    expect(result.acquired).toBe(20);
    expect(result.waits).toBe(9);
  });

  test("has the application's place of a transaction", () => {
    expect(result.transaction.site).toMatch(new RegExp(`^${marked(file, program, "transaction")}:\\d+$`));
    for (const frame of result.transaction.stack) expect(frame).not.toMatch(/node_modules|generated/);
  });

  test("has the application's place of a query that takes a connection of its own", () => {
    if (CONNECTS_FOR_QUERIES.has(library)) {
      expect(result.query.site).toMatch(new RegExp(`^${marked(file, program, "query")}:\\d+$`));
    } else {
      expect(result.query).toMatchObject({ via: "query", stack: [] });
    }
  });
});

test("a transaction of a Prisma client with its runtime in the application's folder has its place", async () => {
  const probe = await readFile(join(import.meta.dirname, "probes", "prisma.mjs"), "utf8");
  const program = (await examples.write("older.ts", "Prisma", probe)).replace(
    /import \{ PrismaClient \} from .*;/,
    'import older from "./generated/prisma-js/index.js"; const { PrismaClient } = older;',
  );
  await writeFile(join(examples.folder, "older.ts"), program);
  const { transaction } = await examples.run<Result>("older.ts", databaseUrl());
  expect(program).toContain("prisma-js");
  expect(transaction.site).toMatch(new RegExp(`^${marked("older.ts", program, "transaction")}:\\d+$`));
});

test.each(["pg-boss", "graphile-worker"])("a pool that %s works with has true numbers", async (library) => {
  const probe = await readFile(join(import.meta.dirname, "probes", `${library}.mjs`), "utf8");
  const file = `${library}.ts`;
  await examples.write(file, library, probe);
  const { acquired, requests, checkouts, used } = await examples.run<Result>(file, databaseUrl());
  expect(acquired).toBeGreaterThan(1);
  expect({ requests, used }).toEqual({ requests: checkouts, used: 0 });
  // graphile-worker takes its first connections before the probe begins to count.
  if (library === "pg-boss") expect(checkouts).toBe(acquired);
  else expect(checkouts).toBeGreaterThanOrEqual(acquired);
});

test("every example of the page is TypeScript without errors", async () => {
  const sections = [...examples.blocks.keys()].filter((section) => section !== "");
  expect(sections).toEqual([...LIBRARIES, "pg-boss", "graphile-worker"].sort(byPage(sections)));
  const files = sections.map((section) => `check-${section.toLowerCase()}.ts`);
  for (const [at, section] of sections.entries()) await examples.write(files[at] ?? "", section);
  expect(await examples.check(files)).toBe("");
});

function byPage(sections: readonly string[]) {
  return (one: string, other: string) => sections.indexOf(one) - sections.indexOf(other);
}
