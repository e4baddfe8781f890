/** One decimal; 0 of nothing. */
export function percent(used: number, capacity: number): number {
  return capacity > 0 ? Math.round((used / capacity) * 1000) / 10 : 0;
}
