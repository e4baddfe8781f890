import type { Layer } from "./express-shapes.ts";

/** What stands for a part of a path that may hold values of the request. */
export const UNPROVEN = "/:param";

/** A mounted layer and the beginning of a path it takes. */
export interface Mounted {
  /** What the application wrote there, never what the request brought. */
  readonly pattern: string;
  /** What is left of the path: nothing, or from a slash on. */
  readonly rest: string;
}

/** Finds how much of a path a mounted layer takes, and under which pattern; undefined: it does not match. */
export function matchMount(layer: Layer, path: string): Mounted | undefined {
  if (layer.slash || layer.regexp?.fast_slash) return { pattern: "", rest: path };
  try {
    return layer.regexp ? matchExpression(layer, path) : matchMatchers(layer, path);
  } catch {
    // A value that cannot be decoded: Express refuses the request.
    return undefined;
  }
}

/** The beginning of `path` that a layer matched, as Express itself cuts it off. */
function cut(path: string, matched: string | undefined, pattern: string): Mounted | undefined {
  if (matched === undefined || !path.startsWith(matched)) return undefined;
  const taken = matched.endsWith("/") ? matched.slice(0, -1) : matched;
  const rest = path.slice(taken.length);
  return rest === "" || rest.startsWith("/") ? { pattern, rest } : undefined;
}

// ── Express 5 ──

function matchMatchers({ rawPath, matchers = [] }: Layer, path: string): Mounted | undefined {
  const written: readonly unknown[] = Array.isArray(rawPath) ? rawPath : [rawPath];
  for (const [index, matcher] of matchers.entries()) {
    const source = written[index];
    if (source instanceof RegExp) {
      // Not the application's own object: with the flags g or y it remembers where it was.
      const copy = new RegExp(source.source, source.flags.replace(/[gy]/g, ""));
      const matched = copy.exec(path)?.[0];
      if (matched !== undefined) return cut(path, matched, UNPROVEN);
      continue;
    }
    const match = matcher(path);
    if (!match) continue;
    const pattern = typeof source === "string" ? source.replace(/\/+$/, "") : patternByValues(match);
    return cut(path, match.path, pattern);
  }
  return undefined;
}

/**
 * Routers before 2.3 do not say what they were mounted on. A match without values is text the application wrote, in
 * whatever case the request has it; path-to-regexp gives values in an object without a prototype, the router's own
 * matching of regular expressions, whose text need not be the application's, does not.
 */
function patternByValues({ path, params }: { readonly path: string; readonly params: object }): string {
  if (Object.getPrototypeOf(params) !== null) return UNPROVEN;
  const values = Object.entries(params).map(([name, value]) => [name, String(value)] as const);
  const segments = path.split("/").map((segment) => {
    const text = decodeURIComponent(segment);
    const name = values.find(([, value]) => value === text)?.[0];
    if (name !== undefined) return `:${name}`;
    return values.some(([, value]) => text.includes(value) || value.includes(text)) && text !== ""
      ? undefined
      : segment.toLowerCase();
  });
  return segments.includes(undefined) ? UNPROVEN : segments.join("/").replace(/\/+$/, "");
}

// ── Express 4 ──

interface Alternative {
  readonly expression: RegExp;
  readonly pattern: string;
}

const alternatives = new WeakMap<Layer, readonly Alternative[]>();

function matchExpression(layer: Layer, path: string): Mounted | undefined {
  let known = alternatives.get(layer);
  if (!known) {
    known = readExpression(layer);
    alternatives.set(layer, known);
  }
  for (const { expression, pattern } of known) {
    const matched = expression.exec(path)?.[0];
    if (matched !== undefined) return cut(path, matched, pattern);
  }
  return undefined;
}

/** How path-to-regexp 0.1 ends what it makes for `use`. */
const END = "\\/?(?=\\/|$)";

/** Paths in an array become `^…|^…`. What was a regular expression, or has one inside, is left in one piece. */
function readExpression({ regexp, keys = [] }: Layer): Alternative[] {
  const { source, flags } = regexp as RegExp;
  const own = flags.replace(/[gy]/g, "");
  const parts = source.split(/\|(?=\^)/);
  const names = keys.map(({ name }) => String(name));
  const patterns = parts.map((part) => readPattern(part, names));
  if (names.length > 0 || patterns.includes(undefined)) {
    return [
      { expression: new RegExp(source, own), pattern: parts.length > 1 ? UNPROVEN : patterns[0] || UNPROVEN },
    ];
  }
  // A path without a name is matched as it is written.
  return parts.map((part, index) => ({
    expression: new RegExp(part, own),
    pattern: patterns[index] as string,
  }));
}

const VALUE = /^(?:\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)|\\\/\(\?:\(\[\^\\?\/\]\+\?\)\))(\?)?/;
const CHARACTER = /^(?:\\([^\w\s])|([\w~%!@,;:=&-]))/;

/** The path an expression was made of: plain characters and whole segments with names, or undefined. */
function readPattern(source: string, names: readonly string[]): string | undefined {
  if (!source.startsWith("^") || !source.endsWith(END)) return undefined;
  let left = source.slice(1, -END.length);
  let pattern = "";
  let named = 0;
  while (left !== "") {
    const value = VALUE.exec(left);
    const character = value ? undefined : CHARACTER.exec(left);
    if (value) pattern += `/:${names[named++]}${value[1] ?? ""}`;
    else if (character) pattern += character[1] ?? character[2];
    else return undefined;
    left = left.slice((value ?? character)?.[0].length);
    // A character that may be missing or repeated.
    if (/^[?*+{]/.test(left)) return undefined;
  }
  return named === names.length ? pattern : undefined;
}
