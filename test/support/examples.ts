import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";

/** A block of code of a page. */
export interface Example {
  /** Like `docs/routes.md:5`. */
  readonly name: string;
  readonly code: string;
}

const FENCE = /^ *```(js|ts|mjs|mts|javascript|typescript)\s*$/;

/** Their examples need packages that `npm ci` does not install: `test/suites/orms` checks and runs them. */
const ELSEWHERE = "integrations.md";

/** Every block of JavaScript and TypeScript in README and docs. */
export async function allExamples(): Promise<Example[]> {
  const docs = (await readdir("docs")).filter((name) => name.endsWith(".md") && name !== ELSEWHERE).sort();
  return ["README.md", ...docs.map((name) => `docs/${name}`)].flatMap(examplesOf);
}

function examplesOf(page: string): Example[] {
  const lines = readFileSync(page, "utf8").split("\n");
  const examples: Example[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (!FENCE.test(lines[at] ?? "")) continue;
    const end = lines.findIndex((line, index) => index > at && /^ *```\s*$/.test(line));
    examples.push({ name: `${page}:${at + 1}`, code: lines.slice(at + 1, end).join("\n") });
    at = end;
  }
  return examples;
}

/** What examples take for granted, in the order in which it is written. */
const CONTEXT: Readonly<Record<string, string>> = {
  express: 'import express from "express";',
  pg: 'import pg from "pg";',
  poolscope: 'import { poolscope } from "poolscope";',
  pool: "const pool = new pg.Pool();",
  scope: `const scope = poolscope();
scope.watch(new pg.Pool(), { name: "orders" });
scope.watch(new pg.Pool(), { name: "reports" });`,
  app: "const app = express();",
  answer: "const answer = async (_event: unknown) => ({ statusCode: 200 });",
  cors: "const cors = (): express.RequestHandler => (_request, _response, next) => next();",
  showOrder: "const showOrder: express.RequestHandler = (_request, response) => void response.json({});",
  redis: 'const redis = { ping: async (_options: { signal: AbortSignal }) => "PONG" };',
  mailer: "const mailer = { isConnected: () => true };",
  sendMail: "const sendMail = async (_mail: { subject: string; signal: AbortSignal }) => {};",
};

/** The example as a module of TypeScript that stands by itself. */
export function moduleOf({ code }: Example): string {
  let whole = code;
  for (const [name, line] of Object.entries(CONTEXT).reverse()) {
    if (isUsed(name, whole) && !isDeclared(name, whole)) whole = `${line}\n${whole}`;
  }
  // Imports come first, and make a module of it.
  return `export {};\n${whole}\n`;
}

function isUsed(name: string, code: string): boolean {
  const bare = code.replace(/\/\/.*$/gm, "").replace(/"[^"\n]*"/g, '""');
  return new RegExp(`(?<![.\\w-])${name}\\b(?!:)`).test(bare);
}

function isDeclared(name: string, code: string): boolean {
  return new RegExp(`^(?:const|let) ${name}\\b|^import [^;]*\\b${name}\\b[^;]* from `, "m").test(code);
}
