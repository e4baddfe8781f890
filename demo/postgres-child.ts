import { startPostgres } from "./postgres-server.ts";

/** What the child tells its parent: where PostgreSQL is, or why it is not. */
export type PostgresMessage =
  | { readonly host: string; readonly port: number; readonly user: string; readonly password: string }
  | { readonly error: string };

/** The parent lets go of the channel to stop PostgreSQL. The operating system does so when the parent is killed. */
const parentIsGone = new Promise<void>((resolve) => {
  process.once("disconnect", resolve);
  if (!process.connected) resolve();
});

try {
  const { host, port, user, password, stop } = await startPostgres();
  tell({ host, port, user, password });
  await parentIsGone;
  await stop();
} catch (error) {
  tell({ error: error instanceof Error ? error.message : String(error) });
  if (process.connected) process.disconnect();
}

function tell(message: PostgresMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
