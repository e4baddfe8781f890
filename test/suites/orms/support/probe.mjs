import pg from "pg";

const LOCK = 4711;
/** Waits as long as the probe holds the lock. */
const WAITING = `SELECT 1 AS one FROM pg_advisory_xact_lock_shared(${LOCK})`;

/**
 * Uses a pool of three connections through a library, and prints what poolscope and the pool itself counted as the last
 * line of the output.
 *
 * @param act `query` sends one statement, `transaction` one within a transaction, each with the library's own means;
 * `end` closes the library
 */
export async function probe(scope, pool, { query, transaction, end }) {
  let acquired = 0;
  pool.on("acquire", () => acquired++);
  const before = await reading(scope);
  for (let turn = 0; turn < 5; turn++) await query("SELECT 1 AS one");
  const failure = await query("SELECT 1/0 AS one").then(
    () => "none",
    () => "failed",
  );

  const blocker = new pg.Client(process.env.DATABASE_URL);
  await blocker.connect();
  const blocked = async (start, seen) => {
    await blocker.query(`SELECT pg_advisory_lock(${LOCK})`);
    const under = start();
    await until(seen);
    const holders = await scope.holders("orders");
    const during = await reading(scope);
    await blocker.query(`SELECT pg_advisory_unlock(${LOCK})`);
    await under;
    return { holders, used: during.used, waiting: during.waiting };
  };
  const executing = async () =>
    (await scope.holders("orders")).some(({ activity }) => activity === "executing");
  const single = await blocked(() => query(WAITING), executing);
  const inTransaction = await blocked(() => transaction(WAITING), executing);
  const burst = await blocked(
    () => Promise.all(Array.from({ length: 12 }, () => query(WAITING))),
    async () => (await reading(scope)).waiting === 9 && (await reading(scope)).connecting === 0,
  );
  await blocker.end();
  const after = await reading(scope);
  const result = {
    failure,
    acquired,
    requests: after.requests - before.requests,
    checkouts: after.checkouts - before.checkouts,
    waits: after.waits - before.waits,
    used: after.used,
    errors: after.queryErrors - before.queryErrors,
    query: place(single),
    transaction: place(inTransaction),
    burst: { used: burst.used, waiting: burst.waiting },
  };
  await end();
  await scope.shutdown();
  console.log(JSON.stringify(result));
}

function place({ holders }) {
  const [{ site, stack, via } = {}] = holders;
  return { site, stack, via };
}

async function reading(scope) {
  const [only] = await scope.readings();
  return only;
}

async function until(isSo) {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

/** Runs jobs of a queue, ends its pool, and prints what poolscope and, from now on, the pool itself counted. */
export async function probeJobs(scope, pool, work) {
  let acquired = 0;
  pool.on("acquire", () => acquired++);
  await work();
  await until(async () => (await reading(scope)).used === 0);
  const { requests, checkouts, used } = await reading(scope);
  await pool.end();
  await scope.shutdown();
  console.log(JSON.stringify({ acquired, requests, checkouts, used }));
}
