/** The options of a pool that advice looks at. All of them may be changed, or be left out. */
interface AdvisedOptions {
  readonly max?: unknown;
  readonly min?: unknown;
  readonly connectionTimeoutMillis?: unknown;
  readonly idleTimeoutMillis?: unknown;
  readonly maxLifetimeSeconds?: unknown;
}

interface RecycleAdvised {
  readonly pingAfterIdleMillis: number;
  readonly keepAliveSeconds: number;
  readonly maxLifetimeSeconds: number;
  readonly idleLimitSeconds: number;
}

const MILLIS = 1000;

/** What to say of a pool's options, each in one line with the values at odds. Looks only at what it is given. */
export function poolAdvice(options: AdvisedOptions): string[] {
  const advice: string[] = [];
  const max = Number(options.max);
  const min = Number(options.min ?? 0);
  if (!options.connectionTimeoutMillis) {
    advice.push(
      "connectionTimeoutMillis=0: callers wait for ever for a connection; set it to what a request may take, like 30000",
    );
  }
  if (min > max) {
    advice.push(
      `min=${min} is above max=${max}: no more than max are ever open, and none closes for being idle`,
    );
  }
  return advice;
}

/** What to say of recycling with these options of the pool. */
export function recycleAdvice(options: AdvisedOptions, settings: RecycleAdvised): string[] {
  const advice: string[] = [];
  const { pingAfterIdleMillis, keepAliveSeconds, idleLimitSeconds } = settings;
  const idleTimeoutMillis = Number(options.idleTimeoutMillis ?? 0);
  if (idleTimeoutMillis > 0 && idleTimeoutMillis < pingAfterIdleMillis) {
    advice.push(
      `idleTimeoutMillis=${idleTimeoutMillis} is below pingAfterIdleMillis=${pingAfterIdleMillis}: ` +
        "idle connections are closed before they could be pinged",
    );
  }
  const limit = idleLimitAdvice(options, settings.maxLifetimeSeconds, keepAliveSeconds, idleLimitSeconds);
  if (limit) advice.push(limit.replace("{limit}", `idleLimitSeconds=${idleLimitSeconds}`));
  return advice;
}

/** Whether others close idle connections before the pool does. `{limit}` is for the name of the limit. */
export function idleLimitAdvice(
  options: AdvisedOptions,
  recycleLifetimeSeconds: number,
  keepAliveSeconds: number,
  limitSeconds: number,
): string | undefined {
  if (!(limitSeconds > 0)) return undefined;
  if (keepAliveSeconds > 0 && keepAliveSeconds < limitSeconds) return undefined;
  const lifetimes = [recycleLifetimeSeconds, Number(options.maxLifetimeSeconds ?? 0)].filter(
    (one) => one > 0,
  );
  const lifetimeSeconds = Math.min(...lifetimes);
  const idleSeconds = Number(options.idleTimeoutMillis ?? 0) / MILLIS;
  // With `min` some are never closed for being idle.
  const isKept = idleSeconds === 0 || Number(options.min ?? 0) > 0;
  if (!isKept && idleSeconds < limitSeconds) return undefined;
  if (lifetimeSeconds < limitSeconds) return undefined;
  const lifetime = lifetimes.length === 0 ? "no maxLifetimeSeconds" : `maxLifetimeSeconds=${lifetimeSeconds}`;
  const idle = `idleTimeoutMillis=${idleSeconds * MILLIS}, min=${Number(options.min ?? 0)}`;
  return (
    `{limit} closes idle connections before the pool does (${lifetime}, ${idle}); ` +
    `set a lifetime or keepAliveSeconds below ${limitSeconds}`
  );
}
