/**
 * An application with one pool, in one situation: which agent is loaded and when, what poolscope does with the pool, how
 * the pool reaches its server. Prints what it saw as one line of JSON. Run bare, it is the control of the other runs.
 */
import Module, { createRequire } from "node:module";
import { poolscopeNumbers } from "./numbers.mjs";
import { hostsOutside } from "./outside.mjs";
import { Scenario } from "./scenario.mjs";

// Wrappers of agents and of poolscope are frames, too: ten would not reach the application.
Error.stackTraceLimit = 50;
const situation = JSON.parse(process.argv[2]);
const require = createRequire(new URL("../../../package.json", import.meta.url));

if (situation.isNative) provideNative();

let agent = situation.agentFirst ? await loadAgent() : undefined;
const pg = situation.isNative ? require("pg").native : require("pg");
const scenario = new Scenario(pg, situation);
const { poolscope, recycle } = await import("../../../dist/index.js");
const scope = attach(scenario.pool);
if (!situation.agentFirst) {
  agent = await loadAgent();
  // Agents patch what is loaded already when it is asked for again.
  require("pg");
  createRequire(require.resolve("pg"))("pg-pool");
}

const seen = {};
const use = async () => {
  await scenario.run();
  seen.counts = structuredClone(scenario.counts);
  if (scope) {
    seen.numbers = await poolscopeNumbers(scope);
    if (situation.asksServer) seen.budgets = await scope.connectionBudget();
  }
  await scenario.end();
};
await (agent ? agent.inSpan(use) : use());
await scope?.shutdown();
seen.spans = agent && (await agent.spans()).sort();
process.stdout.write(`${JSON.stringify({ ...seen, account: scenario.account, hostsOutside })}\n`);

function attach(pool) {
  if (situation.mode === "bare") return undefined;
  // Without the two differences that recycling is asked for.
  const recycled = { keepOnSqlError: false, codedTimeouts: false };
  if (situation.mode === "recycled") recycle(pool, recycled);
  const scope = poolscope(situation.scope);
  scope.watch(pool, { name: "suite" });
  return scope;
}

async function loadAgent() {
  const { agent, sinkUrl } = situation;
  if (!agent) return undefined;
  const [name, major] = agent.split("@");
  const { load } = await import(`./agents/${name}.mjs`);
  return major ? load(major, sinkUrl) : load();
}

/** pg-native is a package of its own folder: where it is not built nothing else suffers. */
function provideNative() {
  const native = createRequire(new URL("../native/package.json", import.meta.url)).resolve("pg-native");
  const { _resolveFilename } = Module;
  Module._resolveFilename = function (request, ...rest) {
    return request === "pg-native" ? native : _resolveFilename.call(this, request, ...rest);
  };
}
