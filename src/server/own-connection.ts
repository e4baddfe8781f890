import { detach } from "../detached.ts";
import { errorClass, errorCode } from "../error-type.ts";
import { addressOf, hostAndPort, type ServerAddress } from "../watch/server-address.ts";
import { Deadline } from "./deadline.ts";
import { enqueue, isQueued, notePooler, POOLED_MILLIS, PoolerBusy } from "./pooler.ts";

/** Where a pool connects to, and with what: the pool's own class of clients and its `options`. */
export interface ConnectionTarget {
  /** The class as the pool was given it, without hooks: what is opened here must not count as the pool's. */
  readonly Client: new (
    ...args: never[]
  ) => object;
  readonly options: object;
}

/**
 * What {@link withOwnConnection} lends. Select only text (`::text`): it reads the same with `binary: true` and with
 * type parsers the application has replaced.
 */
export interface ServerQuery {
  /** The client's `processID`: of the server process, or made up by a connection pooler. Unknown to other classes. */
  readonly processId: unknown;
  /** The port that the client dials. */
  readonly port: unknown;
  query(text: string, values?: readonly unknown[]): Promise<ServerAnswer>;
}

interface ServerAnswer {
  readonly rows: readonly TextRow[];
}

export type TextRow = Readonly<Record<string, string | null>>;

type Done<T = unknown> = (error?: unknown, result?: T) => void;

/**
 * A client as pg-pool uses it, and no further: methods that take a callback. A class may serve nothing else, or return
 * promises of its own beside. What is optional is not public, or not there in `pg.native`.
 * https://node-postgres.com/apis/client
 */
interface OwnClient {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly database?: unknown;
  readonly connectionParameters?: object;
  readonly processID?: unknown;
  readonly connection?: { readonly stream?: OwnStream };
  connect(done: Done): unknown;
  query(text: string, values: readonly unknown[] | undefined, done: Done<ServerAnswer>): unknown;
  end(done: Done): unknown;
  on(event: "error", listener: () => void): unknown;
  once?(event: "end", listener: () => void): unknown;
}

interface OwnStream {
  destroy?(): unknown;
  unref?(): unknown;
  once?(event: "connect", listener: () => void): unknown;
}

/** How long a question may stay in the queue of a connection pooler. PgBouncer gives it up after 2 minutes by default. */
const QUEUED_MILLIS = 150_000;

/** How long the server may take to close a connection gracefully. A living one needs a round trip. */
const CLOSE_GRACE_MILLIS = 250;

/**
 * Opens one connection beside the pool, so that asking takes no client from the application and works while the pool
 * is exhausted. It is closed before the promise settles, except in the queue of a connection pooler (see `leave`).
 *
 * Rejects when the server cannot be reached or refuses, when `use` fails, and when all of it takes longer than
 * `timeoutMillis`; a connection pooler has {@link POOLED_MILLIS} from the login on. No error of the client leaves it in
 * another way, whenever the client raises it. Its timers never keep the process alive; its socket does, no longer than that.
 *
 * @param overrides Replace options of the pool
 */
export async function withOwnConnection<T>(
  target: ConnectionTarget,
  timeoutMillis: number,
  use: (server: ServerQuery) => Promise<T>,
  overrides: { readonly database?: string } = {},
): Promise<T> {
  if (overrides.database === undefined && isQueued(target)) {
    throw new PoolerBusy("an earlier question still waits for a server connection of the connection pooler");
  }
  const client = makeClient(target, timeoutMillis, overrides);
  const where = () => {
    const { host, port } = placeOf(client, target.options);
    return host === undefined ? "" : ` at ${hostAndPort(host, port)}`;
  };
  const deadline = new Deadline(
    timeoutMillis,
    () => new Error(`the server${where()} did not answer within ${timeoutMillis} ms`),
  );
  const connected = outcome((done) => client.connect(done));
  let isConnected = false;
  const ask = async () => {
    await connected;
    isConnected = true;
    const { processID: processId, port } = client;
    if (notePooler(target, processId) && !deadline.isOver) {
      // A question that pg gives up would stay in the queue of the pooler.
      if (client.connectionParameters) Object.assign(client.connectionParameters, { query_timeout: 0 });
      deadline.shorten(
        POOLED_MILLIS,
        timeoutMillis,
        () => new PoolerBusy(`the connection pooler${where()} gave no server connection in time`),
      );
    }
    return await use({
      processId,
      port,
      query: (text, values) => outcome((done) => client.query(text, values, done)),
    });
  };
  const asked = ask();
  let isQueueing = false;
  try {
    // The race also handles the rejection of whichever comes second.
    return await Promise.race([deadline.expired, asked]);
  } catch (error) {
    isQueueing = error instanceof PoolerBusy;
    // Errors of DNS and of the server quote host and database.
    if (placeOf(client, target.options).isMisread) throw unquoted(error);
    throw error;
  } finally {
    deadline.stop();
    if (isConnected && !deadline.isOver) await close(client);
    else if (isQueueing) leave(client, target, asked);
    else {
      abandon(client);
      // Made after all: a class may dial late, or again.
      if (!isConnected) detach(() => connected.then(() => close(client)));
    }
  }
}

/**
 * Leaves a connection in the queue of a connection pooler until its question is answered. PgBouncer does not read from a
 * client that waits for a server connection and so does not see it close: each question given up would stay in the queue,
 * beside the application's. Until then no other connection is opened there for this pool.
 */
function leave(client: OwnClient, target: ConnectionTarget, asked: Promise<unknown>): void {
  const stream = client.connection?.stream;
  if (!stream?.unref) {
    abandon(client);
    return;
  }
  stream.unref();
  const settled = enqueue(target);
  // It may never be answered: the pooler may be gone without a word.
  const timer = setTimeout(() => {
    settled();
    abandon(client);
  }, QUEUED_MILLIS);
  timer.unref();
  const answered = async () => {
    clearTimeout(timer);
    await close(client);
    settled();
  };
  detach(() => asked.then(answered, answered));
}

/** Calls a method that takes a callback. What it throws or rejects with is its error too; the first outcome counts. */
function outcome<T>(call: (done: Done<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const done: Done<T> = (error, result) => (error ? reject(error) : resolve(result as T));
    detach(() => call(done), reject);
  });
}

function unquoted(error: unknown): Error {
  const code = errorCode(error);
  const text = `the server cannot be asked (${code ?? errorClass(error)}): the connection string looks misread`;
  return Object.assign(new Error(text), code !== undefined && { code });
}

function makeClient(
  { Client, options }: ConnectionTarget,
  timeoutMillis: number,
  overrides: object,
): OwnClient {
  // pg's own timeouts are a net for clients whose socket cannot be reached; the deadline comes before them.
  const own = { application_name: "poolscope", query_timeout: timeoutMillis, ...overrides };
  const Constructor = Client as unknown as new (options: object) => OwnClient;
  const client = new Constructor({
    ...options,
    // pg-pool hides it from enumeration, and so from the line above.
    password: (options as { password?: unknown }).password,
    connectionTimeoutMillis: timeoutMillis,
    // In pipeline mode end() waits for the answers still due.
    pipeline: false,
    ...own,
  });
  // pg lets a connection string overrule the options beside it.
  if (client.connectionParameters) Object.assign(client.connectionParameters, own);
  swallowErrors(client);
  return client;
}

/** Whatever breaks also fails the call under way; without a listener it would end the process. */
function swallowErrors(client: OwnClient): void {
  client.on("error", () => {});
}

/** Resolves when the connection is closed: gracefully, or cut off where that fails or takes longer than the grace. */
async function close(client: OwnClient): Promise<void> {
  let grace: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    grace = setTimeout(resolve, CLOSE_GRACE_MILLIS);
    grace.unref();
    // A class whose `end` knows no callback still emits its end.
    detach(() => client.once?.("end", resolve));
    detach(
      () => client.end(() => resolve()),
      () => resolve(),
    );
  });
  clearTimeout(grace);
  // `end` of a class may have removed every listener.
  detach(() => swallowErrors(client));
  detach(() => cutOff(client));
}

/** Closes a connection that was not made, or over which no answer came, without waiting for the server. */
function abandon(client: OwnClient): void {
  detach(() => cutOff(client) || client.end(() => {}));
}

/** @returns Whether the client has a socket that can be reached */
function cutOff(client: OwnClient): boolean {
  const stream = client.connection?.stream;
  if (!stream?.destroy) return false;
  stream.destroy();
  // A class that dials later, once it has fetched a token, takes the socket into use again.
  stream.once?.("connect", () => stream.destroy?.());
  return true;
}

/** Where the client connects to, as far as it shows that. A class may have fields that throw. */
function placeOf(client: OwnClient, options: object): ServerAddress {
  try {
    return addressOf(client, options);
  } catch {
    return {};
  }
}
