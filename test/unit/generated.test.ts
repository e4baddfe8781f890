import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GENERATED } from "../../scripts/generate.ts";
import { VERSION } from "../../src/version.ts";

const root = new URL("../../", import.meta.url);

describe("generated files", () => {
  it.each(Object.entries(GENERATED))("%s is up to date", { timeout: 60_000 }, async (file, make) => {
    const committed = await readFile(new URL(file, root), "utf8");
    expect(committed, `${file} is out of date: run npm run generate`).toBe(await make());
  });
});

describe("VERSION", () => {
  it("is the one in package.json", async () => {
    const manifest = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
    expect(VERSION).toBe(manifest.version);
  });
});
