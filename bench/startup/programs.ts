/** Programs that only start. Plain JavaScript, so that Node alone runs them. */
const BARE = `
import express from "express";
import pg from "pg";
express();
const pool = new pg.Pool();
`;

export const PROGRAMS: Readonly<Record<string, string>> = {
  bare: BARE,
  "bare again": BARE,
  poolscope: `${BARE}
import { poolscope } from "poolscope";
const scope = poolscope();
scope.watch(pool);
`,
  "instrumentation-pg": `
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
const instrumentation = new PgInstrumentation();
instrumentation.setMeterProvider(new MeterProvider());
instrumentation.setTracerProvider(new BasicTracerProvider());
${BARE}`,
};

/** Says when it was done: milliseconds since the process began, and its CPU time. */
export const TIMED = `
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ wall: performance.now(), cpu: (user + system) / 1000 }));
process.exit();
`;

/** Says which files were loaded, by \`import\` (the hook saw them) and by \`require\`. */
export const COUNTED = `
import { createRequire } from "node:module";
console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));
process.exit();
`;

/** Imports are hoisted: registered in a program of its own, before the other is loaded. */
export const HOOK: string = dataUrl(`
import { register } from "node:module";
register(${JSON.stringify(
  dataUrl(`
import { writeSync } from "node:fs";
export async function load(url, context, nextLoad) {
  writeSync(2, url + "\\n");
  return nextLoad(url, context);
}`),
)});
`);

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
