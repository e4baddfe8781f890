import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import type { Caller } from "./callers.ts";
import { lagSince } from "./lag.ts";
import type { Run } from "./run.ts";
import { timersAlive } from "./timers.ts";

const END_MILLIS = 2_500;

/** The server is well again: everything that was promised has to come true now. */
export async function checkSettled(run: Run): Promise<void> {
  if (!(await isEveryCallerAnswered(run))) return;
  // What is lost from here on would be lost by the pool.
  run.mistakes.isOff = true;
  await checkPlaces(run);
  run.mistakes.isOff = false;
}

async function checkPlaces(run: Run): Promise<void> {
  if (run.lostSlots >= run.plan.pool.max) return;
  if (!(await canBeHad(run, 1))) return;
  const places = run.plan.pool.max - run.lostSlots;
  if (places > 1 && !(await canBeHad(run, places))) return;
  await checkNumbers(run);
}

/** Nothing may be left of a pool that has ended. */
export async function checkEnded(
  run: Run,
  end: Caller,
  isDrained: boolean,
  forgotten: number,
): Promise<void> {
  const { pool, callers, link } = run;
  const { excuses } = run.mistakes;
  const mayStayAway = () => !isDrained && (run.lostSlots > 0 || excuses.isEndLost || isCloseLost(run));
  await run.within(() => callers.holders === 0);
  const isEnded = await run.within(() => end.answers > 0 || mayStayAway(), END_MILLIS);
  if (!isEnded) {
    const { totalCount, idleCount } = pool;
    run.found(
      "end() hangs",
      `total ${totalCount}, idle ${idleCount}, ${callers.unanswered.length - 1} not answered`,
    );
  }
  if (end.answers > 0 && end.error && excuses.isEndLost === false) {
    run.found(isDrained ? "drain() rejects" : "end() rejects", end.error.message);
  }
  link.heal("reset");
  const lostCallers = () => (isDrained ? excuses.callers : run.lostCallers);
  const lost = () => lostCallers() + forgotten + (end.answers > 0 ? 0 : 1);
  if (!(await run.within(() => callers.unanswered.length <= lost()))) {
    run.found(isDrained ? "unanswered after drain()" : "unanswered after end()", describeUnanswered(run));
  }
  if (run.lostSlots > 0 || excuses.isEndLost || end.answers === 0) return;
  if (!(await run.within(() => link.connections === 0))) {
    run.found("connections after the end", `${link.connections} open, pool.totalCount ${pool.totalCount}`);
  }
  if (!(await run.within(() => timersAlive(run.timers).length === 0, 1_500))) {
    run.found("timer after the end", timersAlive(run.timers).join("; "));
  }
}

/** pg-pool continues when a connection it closes has closed, which a silent one never does. */
function isCloseLost(run: Run): boolean {
  return !(run.isRecycled && !run.wasStopped) && run.link.silentConnections > 0;
}

async function isEveryCallerAnswered(run: Run): Promise<boolean> {
  const { callers } = run;
  const isAnswered = () => callers.unanswered.length <= run.lostCallers;
  const isPulsing = () => run.isRecycled && !run.wasStopped && !run.mistakes.excuses.isPulseLost;
  let isOver = false;
  // Whom a bare pool forgets in its queue, the next release serves.
  const probing = (async () => {
    while (!isOver && run.lostSlots < run.plan.pool.max) {
      if (!isPulsing() && !isAnswered()) {
        const client = await callers.take(1_000);
        if (client) await callers.isAnswering(client);
      }
      await pause(100);
    }
  })();
  const isDone = await run.within(isAnswered);
  isOver = true;
  await probing;
  if (!isDone) run.found("never answered", describeUnanswered(run));
  return isDone && (await run.within(() => callers.holders === 0));
}

/** So many clients at the same time, each of which answers. Stale ones may come first. */
async function canBeHad(run: Run, count: number): Promise<boolean> {
  const { callers, pool } = run;
  const since = performance.now();
  let last = "";
  let pauseMillis = 20;
  do {
    const taken = await Promise.all(Array.from({ length: count }, () => callers.take(run.patienceMillis)));
    const clients = taken.filter((client) => client !== undefined);
    if (pool.totalCount > run.plan.pool.max) run.found("above max", `${pool.totalCount} connections`);
    const answers = await Promise.all(clients.map((client: pg.PoolClient) => callers.isAnswering(client)));
    if (answers.length === count && answers.every(Boolean)) return true;
    last = `${clients.length} had, ${answers.filter(Boolean).length} answered`;
    // A dial into silence may only now have shown that it is one.
    if (run.lostSlots >= run.plan.pool.max || count > run.plan.pool.max - run.lostSlots) return false;
    // Dials that come too fast are the trouble themselves.
    await pause(pauseMillis);
    pauseMillis = Math.min(2 * pauseMillis, 500);
  } while (performance.now() - since < run.patienceMillis + 2 * lagSince(since));
  const { totalCount, idleCount, waitingCount } = pool;
  const lastError = callers.all.findLast((caller) => caller.error)?.error?.message;
  run.found(
    count === 1 ? "connect() does not work" : "max cannot be had",
    `${last} of ${count}; total ${totalCount}, idle ${idleCount}, waiting ${waitingCount}; last error: ${lastError}`,
  );
  return false;
}

async function checkNumbers(run: Run): Promise<void> {
  const { pool, link } = run;
  const isRight = () =>
    pool.waitingCount === 0 &&
    pool.idleCount <= pool.totalCount &&
    pool.totalCount - pool.idleCount <= run.lostSlots &&
    pool.totalCount <= run.plan.pool.max;
  if (!(await run.within(isRight))) {
    const { totalCount, idleCount, waitingCount } = pool;
    run.found(
      "numbers",
      `total ${totalCount}, idle ${idleCount}, waiting ${waitingCount}, lost ${run.lostSlots}`,
    );
    return;
  }
  const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1";
  let onServer = -1;
  const agrees = async () => {
    onServer = Number((await run.world.ask(sql, run.name))[0]?.n);
    const { totalCount } = pool;
    // What was closed on a silent link lives on at the other end of it.
    return onServer >= totalCount - run.lostSlots && onServer <= totalCount + link.silentConnections;
  };
  if (!(await run.within(agrees))) {
    run.found("connections of the server", `${onServer}, pool.totalCount ${pool.totalCount}`);
  }
  await checkReading(run);
  checkStopped(run);
}

async function checkReading(run: Run): Promise<void> {
  if (!run.watch || !run.scope || run.mistakes.made.length > 0) return;
  let seen = "";
  const agrees = async () => {
    const [reading] = await run.scope!.readings();
    if (!reading) return false;
    const { connects, closes, total, waiting, connecting } = reading;
    const { openBeforeWatch: openBefore, pool } = run;
    seen = JSON.stringify({
      openBefore,
      connects,
      closes,
      total,
      waiting,
      connecting,
      pool: pool.totalCount,
    });
    const open = run.openBeforeWatch + connects - closes;
    return total === run.pool.totalCount && open === total - connecting && waiting === 0;
  };
  if (!(await run.within(agrees))) run.found("reading", seen);
}

function checkStopped(run: Run): void {
  if (run.subject !== "recycled" || run.isRecycled || run.wasWatched) return;
  const left = Reflect.ownKeys(run.pool).filter(
    (key) => typeof key === "string" && !run.ownKeys.includes(key),
  );
  if (left.length > 0) run.found("left behind by stop()", left.map(String).join(", "));
}

function describeUnanswered(run: Run): string {
  const { totalCount, idleCount, waitingCount } = run.pool;
  const names = run.callers.unanswered.map(({ id, by }) => `${id} (${by})`);
  const excused = Number.isFinite(run.lostCallers) ? run.lostCallers : "all";
  return `${names.length} of ${run.callers.all.length}, ${excused} excused: ${names.slice(0, 8).join(", ")}; total ${totalCount}, idle ${idleCount}, waiting ${waitingCount}`;
}
