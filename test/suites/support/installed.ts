import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const suitesFolder: string = fileURLToPath(new URL("../", import.meta.url));
const packages = join(suitesFolder, "node_modules");

/** One error for all suites where their packages are missing. */
export function requireInstalled(): void {
  if (existsSync(join(packages, "mocha"))) return;
  throw new Error("the packages of the suites are not installed: npm run install:suites");
}

/** A Node that has the APIs of Node 22: the one that runs, or the one that is installed beside the suites. */
export function newerNode(): string {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const binary = join(packages, `node-${process.platform}-${process.arch}`, "bin", "node");
  if (!existsSync(binary)) throw new Error(`no Node 22 or newer to run it on: ${dirname(binary)} is missing`);
  return binary;
}
