/** Waits until a condition holds; fails with what was last seen. */
export async function until<T>(look: () => T | Promise<T>, millis = 10_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + millis;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > deadline) throw new Error(`not true within ${millis} ms: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
