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
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly TextRow[] }>;
}

export type TextRow = Readonly<Record<string, string | null>>;

/** https://node-postgres.com/apis/client. What is optional is not public, or not there in `pg.native`. */
interface OwnClient extends ServerQuery {
  readonly host?: string;
  readonly port?: number;
  readonly connectionParameters?: object;
  readonly connection?: { readonly stream?: { destroy?(): unknown } };
  connect(): PromiseLike<unknown>;
  end(): PromiseLike<unknown>;
  on(event: "error", listener: () => void): unknown;
}

/** How long the server may take over a goodbye. A living one needs a round trip. */
const CLOSE_GRACE_MILLIS = 250;

/**
 * Opens one connection beside the pool, so that asking takes no client from the application and works while the pool
 * is exhausted. It is closed before the promise settles.
 *
 * Rejects when the server cannot be reached or refuses, when `use` fails, and when all of it takes longer than
 * `timeoutMillis`. Its timers never keep the process alive; its socket does, no longer than that.
 */
export async function withOwnConnection<T>(
  target: ConnectionTarget,
  timeoutMillis: number,
  use: (server: ServerQuery) => Promise<T>,
): Promise<T> {
  const client = makeClient(target, timeoutMillis);
  let canSayGoodbye = false;
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      canSayGoodbye = false;
      const { host, port } = client;
      const where = host === undefined ? "" : ` at ${host}:${port}`;
      reject(new Error(`the server${where} did not answer within ${timeoutMillis} ms`));
    }, timeoutMillis);
    timer.unref();
  });
  const used = async () => {
    await client.connect();
    canSayGoodbye = true;
    return await use(client);
  };
  try {
    // The race also handles the rejection of whichever comes second.
    return await Promise.race([expired, used()]);
  } finally {
    clearTimeout(timer);
    if (canSayGoodbye) await sayGoodbye(client);
    else destroy(client);
  }
}

function makeClient({ Client, options }: ConnectionTarget, timeoutMillis: number): OwnClient {
  // pg's own timeouts are a net for clients whose socket cannot be reached; the deadline comes before them.
  const own = { application_name: "poolscope", query_timeout: timeoutMillis };
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
  // Whatever breaks later also fails the call under way; without a listener it would end the process.
  client.on("error", () => {});
  return client;
}

/** `end()` resolves when the socket has closed, which on a dead link is never. */
async function sayGoodbye(client: OwnClient): Promise<void> {
  const grace = setTimeout(destroy, CLOSE_GRACE_MILLIS, client);
  grace.unref();
  await end(client);
  clearTimeout(grace);
}

function destroy(client: OwnClient): void {
  const stream = client.connection?.stream;
  if (stream?.destroy) stream.destroy();
  else void end(client);
}

async function end(client: OwnClient): Promise<void> {
  try {
    await client.end();
  } catch {
    // Closed is closed.
  }
}
