import { constants } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { detach } from "../detached.ts";
import { errorMessage } from "../error-type.ts";
import type { GracefulShutdownSettings } from "../health/health-settings.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Logger } from "../logger.ts";
import { closeServer } from "./close-server.ts";
import type { DrainTime } from "./drain-pools.ts";
import { type ClosableServer, ServerConnections } from "./server-connections.ts";
import { ShutdownSignals } from "./shutdown-signals.ts";

/** What `scope.gracefulShutdown()` gives. */
export interface GracefulShutdown {
  /** Begins it without a signal. Safe to call again: resolves when it is over, and never rejects. */
  begin(): Promise<void>;
  /** Stops listening to signals. */
  cancel(): void;
}

/** What there is to end besides the server. */
export interface Ending {
  readonly lifecycle: Lifecycle;
  /** Waits for the holders of connections, for as long as is left, and ends the pools. */
  drain(time: DrainTime): Promise<void>;
  /** Ends the scope. */
  shutdown(): Promise<void>;
  readonly logger: Logger;
}

/** What holders have at least: a request that was cut off may give back its connection, after a ROLLBACK. */
const HOLDERS_MILLIS = 100;
/** Draining and the last export have limits of their own. One that misses its limit does not hold up the rest. */
const DRAIN_SLACK_MILLIS = 500;
const LAST_EXPORT_MILLIS = 6_000;
const LOOK_MILLIS = 50;

/**
 * Ends an application in the order in which nobody is hurt: no new requests (`/ready` answers 503, load balancers turn
 * away), no new connections, requests under way, holders of database connections, the last export, the process.
 */
export function gracefulShutdown(
  server: ClosableServer,
  settings: GracefulShutdownSettings,
  ending: Ending,
): GracefulShutdown {
  const { delayMillis, timeoutMillis } = settings;
  const { lifecycle, logger } = ending;
  const connections = new ServerConnections(server);
  const hurry = new AbortController();
  let running: Promise<void> | undefined;

  const run = async () => {
    lifecycle.shuttingDown();
    connections.endWithTheirAnswers();
    logger.info(`poolscope - shutting down: not ready; the server closes in ${delayMillis} ms`);
    await wait(delayMillis, undefined, { signal: hurry.signal }).catch(() => {});

    const since = performance.now();
    if (!(await closeServer(server, connections, timeoutMillis))) {
      logger.warn(`poolscope - requests were still under way after ${timeoutMillis} ms and were cut off`);
    }
    const least = Math.min(HOLDERS_MILLIS, timeoutMillis);
    const leftMillis = Math.max(least, Math.ceil(timeoutMillis - (performance.now() - since)));
    await attempt("draining the pools", leftMillis + DRAIN_SLACK_MILLIS, () =>
      ending.drain({ timeoutMillis, leftMillis }),
    );
    await attempt("the last export", LAST_EXPORT_MILLIS, () => ending.shutdown());
    connections.detach();
    // Not from within this promise: what an `exit` listener throws is the application's exception. Until then the signals
    // are listened to, so that one that comes now does not end the process as a crash would.
    if (settings.exits && signals.othersAtWork === 0) return void setImmediate(exitNow);
    signals.stop();
    if (settings.exits) exitWithOthers();
  };
  const begin = () => {
    running ??= run();
    return running;
  };

  /** Never rejects, and moves on when the step does not end. */
  const attempt = async (step: string, millis: number, act: () => Promise<void>) => {
    const timer = new AbortController();
    const isLate = wait(millis, true, { signal: timer.signal }).catch(() => false);
    try {
      if (await Promise.race([act(), isLate]))
        logger.warn(`poolscope - ${step} took longer than ${millis} ms`);
    } catch (error) {
      logger.warn(`poolscope - ${step} failed: ${error instanceof Error ? error.message : error}`);
    } finally {
      timer.abort();
    }
  };

  const exitWithOthers = () => {
    logger.info(
      `poolscope - shut down; other listeners of the signal may be at work: the process ends within ${timeoutMillis} ms`,
    );
    const deadline = performance.now() + timeoutMillis;
    // Without a reference: when those listeners are done and nothing else is left, the process ends by itself.
    setInterval(() => {
      if (signals.othersAtWork === 0 || performance.now() >= deadline) exitNow();
    }, LOOK_MILLIS).unref();
  };

  const signals = new ShutdownSignals(settings.signals, {
    begin: () => {
      if (running) hurry.abort();
      detach(begin, (error) =>
        logger.error(`poolscope - shutdown failed: ${errorMessage(error) ?? typeof error}`),
      );
    },
    // What asks twice does not want to wait for load balancers.
    hurry: () => hurry.abort(),
    force: (signal) => {
      if (settings.exits) process.exit(128 + constants.signals[signal]);
    },
  });
  return Object.freeze({ begin, cancel: () => signals.stop() });
}

function exitNow(): void {
  process.exit(process.exitCode ?? 0);
}
