import { setTimeout as wait } from "node:timers/promises";
import { detach } from "../detached.ts";
import { errorMessage } from "../error-type.ts";
import type { GracefulShutdownSettings } from "../health/health-settings.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Logger } from "../logger.ts";

/** What `scope.gracefulShutdown()` gives. */
export interface GracefulShutdown {
  /** Begins it without a signal. Safe to call again: resolves when it is over, and never rejects. */
  begin(): Promise<void>;
  /** Listens to signals no more. */
  cancel(): void;
}

/** A server of `node:http` or `node:https`. */
export interface ClosableServer {
  close(done?: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
}

/** What there is to end besides the server. */
export interface Ending {
  readonly lifecycle: Lifecycle;
  /** Waits for the holders of connections, that long at most, and ends the pools. Never rejects. */
  drain(timeoutMillis: number): Promise<void>;
  /** Ends the scope. Never rejects. */
  shutdown(): Promise<void>;
  readonly logger: Logger;
}

/** How often connections are looked at that became idle after the server was closed. */
const IDLE_LOOK_MILLIS = 50;

/**
 * Ends an application in the order in which nobody is hurt: no new requests (`/ready` answers 503, load balancers turn
 * away), no new connections, requests under way, holders of database connections, the last export, the process.
 */
export function gracefulShutdown(
  server: ClosableServer,
  settings: GracefulShutdownSettings,
  ending: Ending,
): GracefulShutdown {
  const { signals, delayMillis, timeoutMillis, exits } = settings;
  const { lifecycle, logger } = ending;
  const hurry = new AbortController();
  let running: Promise<void> | undefined;

  const run = async () => {
    lifecycle.shuttingDown();
    logger.info(`poolscope - shutting down: not ready; the server closes in ${delayMillis} ms`);
    await wait(delayMillis, undefined, { signal: hurry.signal }).catch(() => {});
    if (!(await closed(server, timeoutMillis))) {
      logger.warn(`poolscope - requests were still under way after ${timeoutMillis} ms and were cut off`);
    }
    await ending.drain(timeoutMillis);
    await ending.shutdown();
    cancel();
    if (exits) process.exit(process.exitCode ?? 0);
  };
  const begin = () => {
    running ??= run();
    return running;
  };
  const onSignal = () => {
    // Whoever asks twice does not want to wait for load balancers.
    if (running) hurry.abort();
    detach(begin, (error) => {
      logger.error(`poolscope - shutdown failed: ${errorMessage(error) ?? typeof error}`);
      if (exits) process.exit(1);
    });
  };
  const cancel = () => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return Object.freeze({ begin, cancel });
}

/** @returns Whether the requests under way were answered in time */
async function closed(server: ClosableServer, timeoutMillis: number): Promise<boolean> {
  const hasClosed = new Promise<true>((resolve) => {
    // An error says that it was closed before.
    server.close(() => resolve(true));
  });
  const look = setInterval(() => server.closeIdleConnections?.(), IDLE_LOOK_MILLIS);
  server.closeIdleConnections?.();
  try {
    const isClosed = await Promise.race([hasClosed, wait(timeoutMillis, false, { ref: false })]);
    if (!isClosed) server.closeAllConnections?.();
    return isClosed;
  } finally {
    clearInterval(look);
  }
}
