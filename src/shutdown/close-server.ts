import type { ClosableServer, ServerConnections } from "./server-connections.ts";

/** How often connections are looked at that became idle after the server was closed. */
const LOOK_MILLIS = 50;
/** Their clients may have sent the next request already: it is answered, and ends the connection. */
const IDLE_MILLIS = 200;
/** How long no connection has to come before a server closes, and how long that is waited for. */
const QUIET_MILLIS = 20;
const QUIET_WITHIN_MILLIS = 500;

/**
 * Closes a server and waits until its requests are answered. Then it cuts off those that are not. Never rejects, whatever
 * `close` does: it may throw, never call back, or have been called by something else before.
 *
 * @returns Whether the requests under way were answered in time
 */
export async function closeServer(
  server: ClosableServer,
  connections: ServerConnections,
  timeoutMillis: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMillis;
  await untilQuiet(connections, Math.min(QUIET_WITHIN_MILLIS, timeoutMillis / 2));
  return new Promise((resolve) => {
    const since = performance.now();
    const finish = (isInTime: boolean) => {
      clearInterval(looks);
      clearTimeout(timer);
      if (!isInTime) connections.cutOff();
      resolve(isInTime);
    };
    let isRefused = false;
    const look = () => {
      if (performance.now() - since >= IDLE_MILLIS) connections.closeIdle();
      if (!connections.canBeCounted) return;
      connections.count((open) => {
        if (open === 0 && (isRefused || !connections.isListening)) finish(true);
      });
    };
    const looks = setInterval(look, LOOK_MILLIS);
    const timer = setTimeout(finish, deadline - since, false);
    connections.keepIdle(() =>
      // An error says that it is closed already. Its requests may be under way all the same.
      close(server, (error) => {
        if (!error || !connections.canBeCounted) finish(true);
        else isRefused = true;
      }),
    );
    connections.endWithTheirAnswers();
  });
}

/**
 * Connections that the kernel has accepted and Node has not are reset when a server closes, and clients whose answers end
 * their connections open new ones all the time. So answers keep them, for a moment, until none is opened any more.
 */
async function untilQuiet(connections: ServerConnections, millis: number): Promise<void> {
  connections.outlastTheirAnswers();
  const since = performance.now();
  let { opened } = connections;
  let quietSince = since;
  for (let at = since; at - quietSince < QUIET_MILLIS && at - since < millis; ) {
    // Right after the turn of the event loop that accepts connections.
    await new Promise((resolve) => setTimeout(() => setImmediate(resolve), 1));
    at = performance.now();
    if (connections.opened > opened) quietSince = at;
    opened = connections.opened;
  }
}

function close(server: ClosableServer, done: (error: unknown) => void): void {
  try {
    const returned = server.close((error) => done(error));
    if (!isThenable(returned)) return;
    // Without a parameter for a callback, the promise is the answer.
    const isAnswer = server.close.length === 0;
    returned.then(() => isAnswer && done(undefined), done);
  } catch (error) {
    done(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
}
