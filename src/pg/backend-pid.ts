/** The largest process id of Linux, PID_MAX_LIMIT; other systems stay below it. */
const LARGEST_PID = 4_194_304;

/**
 * Whether a client's `processID` can be that of a server process. Connection poolers send 32 random bits in its place,
 * of which 1 in 1,000 looks like one.
 */
export function isBackendPid(processId: unknown): processId is number {
  return Number.isInteger(processId) && (processId as number) > 0 && (processId as number) <= LARGEST_PID;
}
