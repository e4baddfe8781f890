import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

interface Matcher {
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  readonly value: string;
}

/** One `metric{label="value"}` of a query. */
export interface Selector {
  /** Undefined where only matchers choose: `{job="shop"}`. */
  readonly metric: string | undefined;
  readonly matchers: readonly Matcher[];
  /** What is between the brackets of `metric[5m]`. */
  readonly range: string | undefined;
  /** Functions and aggregations around it, the nearest first: `["rate", "sum"]`. */
  readonly within: readonly string[];
}

interface PromqlError {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface ParsedPromql {
  readonly errors: readonly PromqlError[];
  readonly selectors: readonly Selector[];
  /** Names of the selectors' metrics, each once. */
  readonly metrics: readonly string[];
  /** Every label that is matched, grouped by or joined on, each once; `__name__` is not among them. */
  readonly labels: readonly string[];
}

/** Parses with the grammar that Prometheus' own web page uses. It knows names and shapes, not types. */
export function parsePromql(query: string): ParsedPromql {
  const errors: PromqlError[] = [];
  const selectors: Selector[] = [];
  const labels = new Set<string>();
  const text = (node: SyntaxNode) => query.slice(node.from, node.to);
  parser.parse(query).iterate({
    enter({ node }) {
      if (node.type.isError) errors.push(syntaxError(query, node));
      else if (node.name === "VectorSelector") selectors.push(readSelector(node, text));
      else if (isLabel(node)) labels.add(unquoted(text(node)));
    },
  });
  return {
    errors,
    selectors,
    metrics: [...new Set(selectors.flatMap(({ metric }) => metric ?? []))],
    labels: [...labels].filter((label) => label !== "__name__"),
  };
}

function readSelector(node: SyntaxNode, text: (node: SyntaxNode) => string): Selector {
  const matchers: Matcher[] = [];
  let metric = node.getChild("Identifier") ? text(node.getChild("Identifier") as SyntaxNode) : undefined;
  for (let item = node.getChild("LabelMatchers")?.firstChild; item; item = item.nextSibling) {
    const [name, op, value] = [item.firstChild, item.getChild("MatchOp"), item.getChild("StringLiteral")];
    if (item.name === "QuotedLabelName") metric = unquoted(text(item));
    if (!name || !op || !value) continue;
    const label = unquoted(text(name));
    const matcher = { label, op: text(op) as Matcher["op"], value: unquoted(text(value)) };
    if (label === "__name__" && matcher.op === "=") metric = matcher.value;
    else matchers.push(matcher);
  }
  const range = node.parent?.name === "MatrixSelector" ? node.parent.getChild("DurationExpr") : undefined;
  return { metric, matchers, range: range ? text(range) : undefined, within: functionsAround(node, text) };
}

function functionsAround(node: SyntaxNode, text: (node: SyntaxNode) => string): string[] {
  const names: string[] = [];
  for (let around = node.parent; around; around = around.parent) {
    const name = around.getChild("FunctionIdentifier") ?? around.getChild("AggregateOp");
    if (name) names.push(text(name));
  }
  return names;
}

/** A quoted name in the braces is a label where an operator follows, and else the metric's name. */
function isLabel(node: SyntaxNode): boolean {
  if (node.name === "LabelName") return true;
  return node.name === "QuotedLabelName" && node.parent?.name !== "LabelMatchers";
}

function syntaxError(query: string, { from, to }: SyntaxNode): PromqlError {
  const rest = query.slice(from, Math.max(to, from + 20)).trim();
  return errorAt(
    query,
    from,
    rest === "" ? "the query ends too early" : `not understood from \`${rest}\` on`,
  );
}

function errorAt(query: string, position: number, message: string): PromqlError {
  const before = query.slice(0, position).split("\n");
  return { line: before.length, column: (before.at(-1) as string).length + 1, message };
}

function unquoted(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("\\'", "'").replaceAll("\\\\", "\\");
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}
