import { spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The folders of servers that are in this one; tsx keeps its cache there too. */
export async function serversIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("poolscope-postgres-"));
}

/** The number of a server's first process, which it writes into its data. */
export async function postmasterIn(folder: string): Promise<number> {
  const [server = ""] = await serversIn(folder);
  return Number.parseInt(await readFile(join(folder, server, "data", "postmaster.pid"), "utf8"), 10);
}

/** Process ids whose command line has a word in it. Zombies, which wait for init, are none. */
export function processesWith(word: string): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,stat=,args="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, state, command] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return command?.includes(word) && !state?.startsWith("Z") ? [Number(pid)] : [];
  });
}
