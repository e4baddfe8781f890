import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { fleet } from "./fleet.ts";
import { overview } from "./overview.ts";
import { pool } from "./pool.ts";
import { routes } from "./routes.ts";

/** In the order of docs/dashboards.md. */
export const DASHBOARDS: readonly (() => Dashboard)[] = [overview, pool, fleet, routes];
