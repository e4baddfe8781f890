/** Whether what `pool.query` was given begins a transaction, on a connection that nobody keeps until its end. */
export function opensTransaction(given: unknown): boolean {
  const text = typeof given === "string" ? given : (given as { text?: unknown } | null | undefined)?.text;
  if (typeof text !== "string") return false;
  // Most texts are out by their first two letters: SELECT is no START.
  const first = text.charCodeAt(0) | SMALL;
  if (first > SLASH && first !== B && !(first === S && (text.charCodeAt(1) | SMALL) === T)) return false;
  return OPENS.test(text);
}

const [SMALL, SLASH, B, S, T] = [0x20, 0x2f, 0x62, 0x73, 0x74];

const OPENS = /^(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:begin|start\s+transaction)\b/i;

/** What is logged of it. */
export function leftOpen(site: string | undefined): string {
  return (
    `pool.query left a transaction open on an idle connection${site ? ` at ${site}` : ""}: ` +
    "whatever statement gets that connection next is part of it, and all of it is rolled back when the connection closes; " +
    "send BEGIN to COMMIT over one client of pool.connect()"
  );
}
