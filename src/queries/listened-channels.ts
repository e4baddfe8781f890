/** `LISTEN name`, `UNLISTEN name`, `UNLISTEN *` and `DISCARD ALL`, as many as a text has. */
const STATEMENT = /\b(LISTEN|UNLISTEN|DISCARD)\s+("(?:[^"]|"")*"|[^\s;]+)/gi;
/** Further channels of one session are not recorded. */
const MAX_CHANNELS = 1_000;

/** The channels that a session listens to, by its own statements. */
export class ListenedChannels {
  readonly #channels = new Set<string>();
  #listenedAt = Number.NEGATIVE_INFINITY;

  /** A text with such a statement ran without an error. */
  ran(text: string, at: number): void {
    for (const [, verb = "", name = ""] of text.matchAll(STATEMENT)) {
      if (verb.toUpperCase() === "LISTEN") {
        if (this.#channels.size < MAX_CHANNELS) this.#channels.add(channel(name));
        this.#listenedAt = at;
      } else if (verb.toUpperCase() === "DISCARD") {
        if (name.toUpperCase() === "ALL") this.#channels.clear();
      } else if (name === "*") this.#channels.clear();
      else this.#channels.delete(channel(name));
    }
  }

  /** Whether a LISTEN that ran after `since` is in force: one of an earlier holder is none of the present one's. */
  isListening(since: number): boolean {
    return this.#channels.size > 0 && this.#listenedAt > since;
  }
}

function channel(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}
