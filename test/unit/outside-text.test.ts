import { expect, test, vi } from "vitest";
import { slack } from "../../src/index.ts";
import { guardLogger, type Logger } from "../../src/logger.ts";
import { hasCredentials, hostName, mayHoldPassword, printable, wordFrom } from "../../src/outside-text.ts";
import { makePool, makeScope } from "../support/pools.ts";

/** What a logger is given of this message. */
function logged(message: string): string {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  guardLogger({ debug: note, info: note, warn: note, error: note }).warn(message);
  expect(lines).toHaveLength(1);
  return lines.join();
}

test.each([
  ["\n2026-11-28 INFO admin login ok", "\uFFFD2026-11-28 INFO admin login ok"],
  ["\r\u001b[2K\u001b[31mred", "\uFFFD\uFFFD[2K\uFFFD[31mred"],
  ["a\u0000b\u0085c\u2028d\u202Ee\uD800f", "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf"],
  ["größe \u{1F600} — fine", "größe \u{1F600} — fine"],
])("a log line has no control characters: %j", (text, clean) => {
  expect(logged(`orders - ${text}`)).toBe(`orders - ${clean}`);
});

test("a log line keeps the indented frames of a stack", () => {
  const leak = "orders - suspected leak\n    at load (src/a.ts:1:2)\n    at b (src/a.ts:3:4)";
  expect(logged(leak)).toBe(leak);
});

test("a log line is cut at four thousand characters, and says how many are left out", () => {
  const line = logged(`orders - ${"x".repeat(1_000_000)}`);
  expect(line.length).toBeLessThan(4_100);
  expect(line).toMatch(/x… \(996009 characters more\)$/);
  expect(logged("x".repeat(4_000))).toBe("x".repeat(4_000));
});

test("a logger of the application is given clean lines by every part of a scope", () => {
  const warn = vi.fn();
  const logger = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() } satisfies Logger;
  const scope = makeScope({ logger });
  scope.on("leak", () => {
    throw new Error("first\nsecond\u001b[31m");
  });
  process.env["OTEL_METRICS_EXPORTER"] = "console\nfake,otlp";
  try {
    makeScope({ logger, otlp: { url: "http://127.0.0.1:1/" } });
    makeScope({ logger });
  } finally {
    delete process.env["OTEL_METRICS_EXPORTER"];
  }
  expect(warn).toHaveBeenCalled();
  for (const line of warn.mock.calls.flat()) expect(line).not.toMatch(/\p{Cc}/u);
});

test.each([
  ["orders\n2026 INFO ok", "a name without control characters"],
  ["\u001b[31morders", "a name without control characters"],
  ["orders\u202Egro", "a name without control characters"],
  ["x".repeat(121), "a string of 1 to 120 characters"],
  ["host=db password=hunter2 dbname=shop", "a name, not a connection string"],
  ["app:hunter2@db/shop", "a name, not a connection string"],
  ["postgres%3A%2F%2Fapp%3Ahunter2%40db", "a name, not a connection string"],
])("a pool's given name is refused: %j", (name, expectation) => {
  const scope = makeScope();
  const pool = makePool();
  expect(() => scope.watch(pool, { name })).toThrow(
    expect.objectContaining({ code: "POOLSCOPE_INVALID_OPTION" }),
  );
  try {
    scope.watch(pool, { name });
  } catch (error) {
    const { message } = error as Error;
    expect(message).toContain(`Expected \`name\` to be ${expectation}, got `);
    expect(message).not.toMatch(/hunter2|[\p{Cc}\u202E]/u);
    expect(message.length).toBeLessThan(200);
  }
});

test.each(["orders", "Größe/eu-1", "tenant=42", "shop:orders", "me@home", "a & b"])(
  "a pool's given name is taken: %j",
  (name) => {
    expect(makeScope().watch(makePool(), { name }).name).toBe(name);
  },
);

test("an attribute with the password of a URL is refused, one with a mere URL is not", () => {
  const scope = makeScope();
  const attributes = { database: "postgres://app:hunter2@db/shop" };
  expect(() => scope.watch(makePool(), { attributes })).toThrow(
    "Expected `attributes.database` to be a label, not a connection string, got a string",
  );
  scope.watch(makePool(), { name: "orders", attributes: { repository: "https://example.com/shop" } });
});

test("the name of a notifier is no URL, with a scheme or without", () => {
  expect(() => slack("https://hooks.slack.com/a", { name: "hooks.slack.com/services/T/B/hunter2" })).toThrow(
    "Expected `name` to be a name, not a URL, got a string",
  );
});

test("an unknown option is named in the error only if it is a word", () => {
  expect(() => makeScope({ sampleInterval: 1 } as never)).toThrow(
    "without the key `sampleInterval`: did you mean `sampleIntervalMillis`?",
  );
  const wrong = { "postgres:app:hunter2": 1, "a\nb": 1 };
  for (const key of Object.keys(wrong)) {
    const refused = () => makeScope({ [key]: 1 } as never);
    expect(refused).toThrow(/got a string$/);
  }
});

test.each([
  "db.example",
  "localhost",
  "10.0.0.1",
  "::1",
  "fe80::1%eth0",
  "/tmp",
  "/run/a.b-c/",
  "müller.example",
])("%s is a host", (host) => expect(hostName(host)).toBe(host));

test.each([
  "",
  "a b",
  "db:5432",
  "a@b",
  "a/b",
  "//a",
  "/a b",
  "/a=b",
  "/a@b",
  "db,db2",
  `/${"a".repeat(90)}`,
  "a\n",
  5,
])("%j is no host", (host) => expect(hostName(host)).toBe(undefined));

test("words of a server are its words, and nothing longer or stranger", () => {
  expect(wordFrom("idle in transaction (aborted)")).toBe("idle in transaction (aborted)");
  for (const text of ["", "a\nb", "a@b", "a=b", "x".repeat(64), "\u001b[31m", null, 5]) {
    expect(wordFrom(text)).toBe(undefined);
  }
});

test("what may hold a password is found in every form", () => {
  for (const text of [
    "a:b@c",
    "a%3Ab%40c",
    "password = x",
    "pwd=x",
    "password: x",
    btoa("postgres://a:b@c/d"),
  ]) {
    expect(hasCredentials(text), text).toBe(true);
  }
  expect(hasCredentials("https://example.com/")).toBe(false);
  expect(mayHoldPassword("https://example.com/")).toBe(true);
  expect(mayHoldPassword("orders of shop")).toBe(false);
  expect(printable("a\nb")).toBe("a\uFFFDb");
});
