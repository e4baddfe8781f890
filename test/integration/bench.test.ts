import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { BENCHES } from "../../bench/benches.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** In the smallest extent. What they count they check themselves, and fail; times mean nothing here. */
async function smoke(...names: string[]): Promise<string> {
  const args = ["--import", "tsx", "bench/run.ts", "--smoke", ...names];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  return stdout;
}

describe("npm run bench", () => {
  let output = "";
  beforeAll(async () => {
    output = await smoke();
  }, 180_000);

  it.each(Object.keys(BENCHES))("-- %s runs, finds its counts right, and prints a table", (name) => {
    const [, section = ""] = output.split(`\n\n${name}\n`);
    expect(section.split("\n").slice(2, 4).join("\n")).toMatch(/\d/);
  });

  it("refuses names it does not know", async () => {
    await expect(smoke("nothing")).rejects.toThrow("Expected the names of benches");
  });
});
