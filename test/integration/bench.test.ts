import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { BENCHES } from "../../bench/benches.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** In the smallest extent. What they count they check themselves; times mean nothing here. */
async function smoke(name: string): Promise<string> {
  const args = ["--import", "tsx", "bench/run.ts", "--smoke", name];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  return stdout;
}

describe("npm run bench", () => {
  it.each(Object.keys(BENCHES))("-- %s runs, and finds its counts right", async (name) => {
    expect(await smoke(name)).toContain(`\n${name}\n`);
  });

  it("refuses names it does not know", async () => {
    await expect(smoke("nothing")).rejects.toThrow("Expected the names of benches");
  });
});
