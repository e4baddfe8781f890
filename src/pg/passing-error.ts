/**
 * Node's errors and SQLSTATEs of a server that restarts, fails over or is full for a moment. Wrong addresses, names and
 * passwords look the same or do not pass: only a pool that was connected before waits for any of these.
 */
const PASSING = new Set([
  "ECONNREFUSED", // nothing listens
  "ECONNRESET", // closed during the handshake
  "EPIPE",
  "ENOENT", // the Unix socket is not there
  "EHOSTUNREACH", // the node is being replaced
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ETIMEDOUT", // by the operating system
  "EAI_AGAIN", // DNS does not answer
  "ENOTFOUND", // DNS does not know the name, during a change
  "53300", // too_many_connections
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now: starts up, shuts down, recovers
]);

/** Whether a dial that failed with this may succeed soon. */
export function isPassing(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, syscall, message } = error as { code?: unknown; syscall?: unknown; message?: unknown };
  // A certificate file that is missing is ENOENT too, of another system call.
  if (code === "ENOENT") return syscall === "connect";
  if (typeof code === "string") return PASSING.has(code);
  return message === "Connection terminated unexpectedly";
}
