import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");

const APP = `
  import { EventEmitter } from "node:events";
  import pg from "pg";
  import { poolscope } from "${root}/src/index.ts";

  class Client extends EventEmitter {
    _queryable = true;
    connect(done) { process.nextTick(done); }
    end(done) { process.nextTick(done); }
  }
  const scope = poolscope({ processes: 0 });
  const pool = new pg.Pool({ Client });
  scope.watch(pool, { name: "orders" });
  async function handleOrder() { return await pool.connect(); }
  await handleOrder();
  const [holder] = await scope.holders("orders");
  console.log(JSON.stringify(holder));
  await scope.shutdown();
`;

test("an application bundled into one file with poolscope has the places of its checkouts", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "poolscope-bundle-"));
  try {
    await writeFile(path.join(folder, "app.mjs"), APP);
    await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    const outfile = path.join(folder, "bundle.mjs");
    const entryPoints = [path.join(folder, "app.mjs")];
    await build({
      entryPoints,
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
    });
    const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: folder });
    const holder = JSON.parse(stdout) as { site?: string; stack: string[] };
    expect(holder.site).toMatch(/^bundle\.mjs:\d+:\d+$/);
    expect(holder.stack[0]).toContain("handleOrder");
  } finally {
    await rm(folder, { recursive: true });
  }
});
