import { startPostgres } from "./postgres-server.ts";

/** What the child sends its parent: where PostgreSQL is, or why it did not start. */
export type PostgresMessage =
  | {
      readonly folder: string;
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
    }
  | { readonly error: string };

/** The parent closes the channel to stop PostgreSQL. The operating system does so when the parent is killed. */
const parentIsGone = new Promise<void>((resolve) => {
  process.once("disconnect", resolve);
  if (!process.connected) resolve();
});

try {
  const { folder, host, port, user, password, stop } = await startPostgres();
  send({ folder, host, port, user, password });
  await parentIsGone;
  await stop();
} catch (error) {
  send({ error: error instanceof Error ? error.message : String(error) });
  if (process.connected) process.disconnect();
}

function send(message: PostgresMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
