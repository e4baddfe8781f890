/** A pool under watch. */
export interface PoolWatch {
  /** The pool's name in metrics, health and logs. */
  readonly name: string;
  /** Stops watching and leaves the pool as it was found. Happens by itself when the pool ends. Safe to call again. */
  unwatch(): void;
}
