/** A Markdown table, padded as the linter wants it. */
export function table(head: readonly string[], rows: readonly string[][]): string {
  const columns = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]!.length)));
  const rule = columns.map((width) => "-".repeat(width));
  return [head, rule, ...rows]
    .map((cells) => `| ${cells.map((cell, column) => cell.padEnd(columns[column]!)).join(" | ")} |`)
    .join("\n");
}
