import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { floatingPromises } from "../../scripts/floating-promises.ts";

test("a promise that nothing handles is found, and no other", () => {
  const tsconfig = fileURLToPath(new URL("../../tsconfig.json", import.meta.url));
  const folder = fileURLToPath(new URL("../fixtures/floating-promises", import.meta.url));
  const lines = readFileSync(`${folder}/promises.ts`, "utf8").split("\n");
  const marked = lines.flatMap((line, at) => (line.endsWith("// floats") ? [at + 1] : []));
  const found = floatingPromises(tsconfig, folder).map(({ line }) => line);
  expect(marked.length).toBeGreaterThan(25);
  expect(found.map((line) => `${line}: ${lines[line - 1]?.trim()}`)).toEqual(
    marked.map((line) => `${line}: ${lines[line - 1]?.trim()}`),
  );
});
