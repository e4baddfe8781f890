import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

export type Poolscopes = typeof import("../../src/index.ts");

const root = resolve(import.meta.dirname, "../..");
const require = createRequire(import.meta.url);

/** The built package, and another copy of it in the same process. */
export function twoCopies(): readonly [Poolscopes, Poolscopes] {
  const folder = mkdtempSync(join(tmpdir(), "poolscope-copy-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["dist", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return [require(join(root, "dist/index.js")), require(join(folder, "dist/index.js"))];
}
