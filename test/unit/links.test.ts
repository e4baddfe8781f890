import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDashboards } from "../support/dashboards.ts";
import { ROOT } from "../support/rules.ts";

/** Every URL of a dashboard, wherever it stands. */
function urlsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "url" && typeof inner === "string" ? [inner] : urlsOf(inner),
  );
}

test("links of dashboards percent-encode what they take from labels, columns and values", async () => {
  const urls = (await readDashboards()).flatMap(urlsOf);
  const taken = urls.flatMap((url) => url.match(/\$\{__(field|data|value)\.[^}]*\}/g) ?? []);
  expect(taken.length).toBeGreaterThan(10);
  for (const one of taken) expect(one).toMatch(/:percentencode\}$/);
});

test("links of alerts encode the labels in them", () => {
  const rules = ["pools", "collector"].map((name) =>
    readFileSync(join(ROOT, "prometheus/rules", `${name}.rules.yml`), "utf8"),
  );
  const taken = rules
    .join("\n")
    .split("\n")
    .filter((line) => line.includes("_url:"))
    .flatMap((line) => line.match(/\{\{[^}]*\}\}/g) ?? []);
  expect(taken.length).toBeGreaterThan(10);
  for (const one of taken) expect(one).toMatch(/\| urlquery \}\}$/);
});

test("the security notes are linked from the README and are in the package", () => {
  const text = (file: string) => readFileSync(join(ROOT, file), "utf8");
  expect(text("README.md")).toContain("(SECURITY.md)");
  expect(JSON.parse(text("package.json")).files).toContain("SECURITY.md");
  // Every file it points to is there.
  for (const [, target = ""] of text("SECURITY.md").matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
    expect(existsSync(join(ROOT, target)), target).toBe(true);
  }
});
