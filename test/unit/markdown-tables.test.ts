import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const pages = ["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"].concat(
  readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
);

/** Rows that begin a table and are no heading of one: what stands behind an empty line is rendered as text with pipes. */
function strayRows(page: string): string[] {
  const lines = readFileSync(page, "utf8").split("\n");
  let isCode = false;
  return lines.flatMap((line, at) => {
    if (/^ *```/.test(line)) isCode = !isCode;
    const isRow = (row: string | undefined) => row?.startsWith("|") === true;
    if (isCode || !isRow(line) || isRow(lines[at - 1])) return [];
    return /^\|[\s:|-]+\|$/.test(lines[at + 1] ?? "") ? [] : [`${page}:${at + 1}`];
  });
}

test.each(pages)("every row of %s is part of a table", (page) => {
  expect(strayRows(page)).toEqual([]);
});
