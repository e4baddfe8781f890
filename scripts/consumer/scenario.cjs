// The program of every consumer, whichever way it got at the packages. The pool's server is not there.
const assert = require("node:assert/strict");
const { once } = require("node:events");

exports.scenario = async function scenario({ poolscope, express, pg }) {
  const pool = new pg.Pool({ host: "127.0.0.1", port: 1, max: 3, connectionTimeoutMillis: 500 });
  const scope = poolscope({ serviceName: "consumer" });
  scope.watch(pool, { name: "orders" });

  const app = express();
  app.use("/health", scope.health());
  app.get("/metrics", scope.metrics());
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;

  await assert.rejects(pool.connect(), { code: "ECONNREFUSED" });

  const health = await fetch(`${origin}/health/database`);
  assert.equal(health.status, 200);
  const { status, pools } = await health.json();
  // The server is gone, but not for long yet.
  assert.equal(status, "warning");
  assert.equal(pools[0].in_use, 0);
  assert.equal(pools[0].connect_failures.refused, 1);

  const metrics = await (await fetch(`${origin}/metrics`)).text();
  assert.match(metrics, /^db_client_connection_limit\{[^}]*"orders"[^}]*\} 3$/m);
  assert.match(metrics, /^poolscope_pool_connect_failures_total\{[^}]*"ECONNREFUSED"[^}]*\} 1$/m);

  await scope.shutdown();
  await pool.end();
  server.close();
  // No process.exit: whatever keeps the process alive from here on is a bug.
  process.once("exit", () => console.log(`consumed on Node ${process.versions.node}`));
};
