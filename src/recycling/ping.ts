import type { IdleItem } from "../pg/pool-inside.ts";
import { PING } from "../pg/private-query.ts";
import { Lease, type Outcome, type Purpose } from "./lease.ts";
import type { Recycler } from "./recycler.ts";

/**
 * Asks an idle client whether it is there. One that answers becomes idle again, one that does not is closed.
 *
 * @param done Called before the change in capacity reaches the callers in pg-pool's queue
 */
export function pingIdle(
  recycler: Recycler,
  item: IdleItem,
  limitMillis: number,
  purpose: Purpose,
  done: (outcome: Outcome) => void,
): void {
  const lease = Lease.ofIdle(recycler, item, purpose);
  recycler.counts.pings++;
  lease.ask(PING, limitMillis, (outcome) => {
    if (outcome === "done") {
      recycler.session(lease.client).aliveAt = performance.now();
      recycler.pingAnswered();
      return lease.giveBack(() => done(outcome));
    }
    lease.close(outcome === "silent" ? "half_open" : "ping_failed", "at once", () => {
      recycler.pingFailed();
      done(outcome);
    });
  });
}
