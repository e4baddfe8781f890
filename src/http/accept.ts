/** Beyond these an `Accept` is not looked at: it comes from anyone, and costs what it is long. */
const MAX_LENGTH = 1_024;
const MAX_RANGES = 20;

/** How well one type is accepted, by the most specific range that matches it. */
interface Preference {
  quality: number;
  /** Of the range: both parts are named, one is, or none. */
  specificity: number;
  /** Of the range in the header. */
  place: number;
}

/**
 * The one of a few types that an `Accept` header prefers; the first of equals. Undefined where it accepts none of them.
 * Looks at the first 20 ranges within the first 1,024 characters.
 *
 * @param types In lower case, without parameters
 */
export function preferredType<Type extends `${string}/${string}`>(
  accept: string | undefined,
  types: readonly Type[],
): Type | undefined {
  if (accept === undefined || accept === "*/*") return types[0];
  const preferences = types.map((): Preference => ({ quality: 0, specificity: -1, place: -1 }));
  for (const [place, range] of rangesOf(accept).entries()) {
    const { type, quality } = rangeOf(range);
    types.forEach((candidate, index) => {
      const specificity = specificityOf(type, candidate);
      const preference = preferences[index];
      if (preference && isCloser(specificity, quality, preference)) {
        preferences[index] = { quality, specificity, place };
      }
    });
  }
  let best: number | undefined;
  preferences.forEach((preference, index) => {
    const leader = best === undefined ? undefined : preferences[best];
    if (preference.quality > 0 && (!leader || isBetter(preference, leader))) best = index;
  });
  return best === undefined ? undefined : types[best];
}

function isCloser(specificity: number, quality: number, known: Preference): boolean {
  if (specificity < 0) return false;
  return specificity > known.specificity || (specificity === known.specificity && quality >= known.quality);
}

function isBetter(one: Preference, other: Preference): boolean {
  if (one.quality !== other.quality) return one.quality > other.quality;
  if (one.specificity !== other.specificity) return one.specificity > other.specificity;
  return one.place < other.place;
}

/** The header at its commas, those within quotes excepted. What the limit cuts through is left out. */
function rangesOf(accept: string): string[] {
  const isCut = accept.length > MAX_LENGTH;
  const text = isCut ? accept.slice(0, MAX_LENGTH) : accept;
  const ranges: string[] = [];
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length && ranges.length < MAX_RANGES; at++) {
    const letter = text[at];
    if (letter === "\\" && isQuoted) at++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if (letter === "," && !isQuoted) {
      ranges.push(text.slice(begin, at));
      begin = at + 1;
    }
  }
  if (!isCut && ranges.length < MAX_RANGES) ranges.push(text.slice(begin));
  return ranges;
}

/** Types with parameters besides `q` are others than ours: they match nothing. */
function rangeOf(range: string): { readonly type: string; readonly quality: number } {
  const [type = "", ...parameters] = range.split(";");
  let quality = 1;
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=", 2).map((part) => part.trim());
    if (name.toLowerCase() !== "q") return { type: "", quality: 0 };
    quality = qualityOf(value);
  }
  return { type: type.trim().toLowerCase(), quality };
}

/** From 0 to 1. One that is no number accepts nothing. */
function qualityOf(value: string): number {
  const quality = Number.parseFloat(value);
  return Number.isNaN(quality) ? 0 : Math.min(Math.max(quality, 0), 1);
}

/** 2: the type itself, 1: all of its kind, 0: all, -1: another. */
function specificityOf(range: string, type: string): number {
  if (range === type) return 2;
  if (range === "*/*") return 0;
  return range.endsWith("/*") && type.startsWith(range.slice(0, -1)) ? 1 : -1;
}
