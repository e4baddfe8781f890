import type { Target } from "../catalogue.ts";
import type { Cell, Findings, Table } from "./bench.ts";
import type { Machine } from "./machine.ts";

/** A table of words: its head, and its rows. */
export interface TextTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function textTable({ title, columns, rows }: Table): TextTable {
  return { title, head: ["", ...columns], rows: rows.map(({ name, cells }) => [name, ...cells.map(text)]) };
}

export function targetTable(targets: Readonly<Record<string, Target>>, findings: Findings): TextTable {
  const measured = Object.entries(targets).filter(([name]) => findings.reached?.[name] !== undefined);
  const rows = measured.map(([name, target]) => {
    const reached = findings.reached?.[name];
    return [target.what, limit(target), text(reached ?? null), verdict(target, reached)];
  });
  return { title: "Targets", head: ["Target", "Wanted", "Reached", ""], rows };
}

export function machineLines({ cpu, cores, isPinned, node, versions }: Machine): string[] {
  const pinned = isPinned
    ? "what is measured pinned to one core, servers and load to the others"
    : "not pinned";
  return [
    `${cpu}, ${cores} cores (${pinned}), Node ${node}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ];
}

function text(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return number(cell);
  return `${number(cell.median)} (${number(cell.min)} to ${number(cell.max)})`;
}

function number(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 3;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function limit({ atMost, atLeast, unit }: Target): string {
  return atMost === undefined ? `≥ ${atLeast} ${unit}` : `≤ ${atMost} ${unit}`;
}

function verdict(
  { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY }: Target,
  reached = NaN,
): string {
  return reached <= atMost && reached >= atLeast ? "met" : "NOT met";
}
