/** Counted within this time, what a rush set off is over before the next one begins: its alerts are resolved. */
const WINDOW_MILLIS = 15_000;

/** How the demo's pools are judged: sooner than an application's, so that there is something to see. */
export interface DemoSettings {
  readonly sampleIntervalMillis: number;
  readonly slowQueryMillis: number;
  readonly leakAfterMillis: number;
  readonly alerts: Readonly<Record<"timeouts" | "slowQueries", { readonly windowMillis: number }>>;
}

export const settings: DemoSettings = {
  sampleIntervalMillis: 5_000,
  slowQueryMillis: 1_000,
  // Clients held by hand for twenty seconds are a leak for the second half of them.
  leakAfterMillis: 10_000,
  alerts: { timeouts: { windowMillis: WINDOW_MILLIS }, slowQueries: { windowMillis: WINDOW_MILLIS } },
};
