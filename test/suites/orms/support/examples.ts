import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { newerNode } from "../../support/installed.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const suite = fileURLToPath(new URL("../", import.meta.url));
const run = promisify(execFile);

/** A folder in which the examples of docs/integrations.md become programs, beside the packages they import. */
export class Examples {
  readonly folder: string;
  /** By heading; that of the introduction is "". */
  readonly blocks: ReadonlyMap<string, string>;

  private constructor(folder: string, blocks: ReadonlyMap<string, string>) {
    this.folder = folder;
    this.blocks = blocks;
  }

  static async prepare(): Promise<Examples> {
    const cache = join(suite, ".cache");
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, "run-"));
    await mkdir(join(folder, "node_modules"));
    await symlink(root, join(folder, "node_modules", "poolscope"));
    await copyFile(join(suite, "support", "app.module.mjs"), join(folder, "app.module.ts"));
    await generatePrisma(folder);
    const text = await readFile(join(root, "docs", "integrations.md"), "utf8");
    return new Examples(folder, blocksOf(text));
  }

  /** The program of a section: what all begin with, its example, and more. */
  async write(file: string, section: string, more = ""): Promise<string> {
    const text = `${this.#block("")}${this.#block(section)}${more}`;
    await writeFile(join(this.folder, file), text);
    return text;
  }

  #block(section: string): string {
    const block = this.blocks.get(section);
    if (block === undefined) throw new Error(`docs/integrations.md has no example of ${section}`);
    return block;
  }

  /** Runs a program, which has to end by itself; what it prints last is parsed. */
  async run<T>(file: string, databaseUrl: string, ...nodeOptions: string[]): Promise<T> {
    const { stdout } = await run(newerNode(), [...nodeOptions, file], {
      cwd: this.folder,
      env: { ...process.env, DATABASE_URL: databaseUrl },
      timeout: 50_000,
    });
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as T;
  }

  /** The complaints of the TypeScript compiler about files of the folder, "" without any. */
  async check(files: readonly string[]): Promise<string> {
    const compilerOptions = {
      ...{ target: "es2023", module: "nodenext", moduleResolution: "nodenext", types: ["node"] },
      ...{ strict: true, skipLibCheck: true, noEmit: true, allowImportingTsExtensions: true },
    };
    await writeFile(join(this.folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    return await run(process.execPath, [compiler, "-p", this.folder]).then(
      () => "",
      (error) => `${error.stdout}${error.stderr}`,
    );
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The client of Prisma is generated outside of node_modules, in both of its forms. */
async function generatePrisma(folder: string): Promise<void> {
  await cp(join(suite, "support", "schema.prisma"), join(folder, "schema.prisma"));
  // `generate` needs no engine, but downloads one that it does not find.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };
  const cli = join(suite, "node_modules", "prisma", "build", "index.js");
  await run(newerNode(), [cli, "generate", "--no-hints"], { cwd: folder, env });
}

function blocksOf(markdown: string): Map<string, string> {
  const blocks = new Map<string, string>();
  for (const section of markdown.split(/^## /m)) {
    const heading = section.startsWith("# ") ? "" : section.slice(0, section.indexOf("\n"));
    const code = /^```ts\n(.*?)^```$/ms.exec(section)?.[1];
    if (code !== undefined) blocks.set(heading, code);
  }
  return blocks;
}
