const ECHO_MILLIS = 500;
const PATIENCE_MILLIS = 10_000;

/** Aborts at Ctrl-C or SIGTERM. A second one, or ten seconds without an end, ends the process at once. */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  let askedAt = 0;

  const ask = (): void => {
    // npm and tsx pass on a signal that the terminal has sent to everybody already.
    if (stopping.signal.aborted && performance.now() - askedAt < ECHO_MILLIS) return;
    if (stopping.signal.aborted) process.exit(130);
    askedAt = performance.now();
    console.log("Stopping …");
    setTimeout(giveUp, PATIENCE_MILLIS).unref();
    stopping.abort();
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  return stopping.signal;
}

function giveUp(): void {
  console.error(`The demo did not stop within ${PATIENCE_MILLIS / 1000} s.`);
  process.exit(1);
}
