import { advice } from "./advice.ts";
import { collect } from "./collect/collect.ts";
import type { Bench } from "./harness/bench.ts";
import { health } from "./health/health.ts";
import { hookOverhead } from "./hook-overhead.ts";
import { memory } from "./memory/memory.ts";
import { peerInstrumentationPg } from "./peers/instrumentation-pg.ts";
import { profile } from "./profile/profile.ts";
import { queryOverhead } from "./query-overhead/query-overhead.ts";
import { saturation } from "./saturation/saturation.ts";
import { shed } from "./shed.ts";
import { startup } from "./startup/startup.ts";

/** In the order they run. */
export const BENCHES: Readonly<Record<string, Bench>> = {
  "query-overhead": queryOverhead,
  profile,
  "hook-overhead": hookOverhead,
  saturation,
  collect,
  health,
  memory,
  startup,
  shed,
  advice,
  // Last, because it patches pg for a while.
  peers: peerInstrumentationPg,
};
