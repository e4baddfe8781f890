/** As much of a text as fits, whole characters of it, each written the way `write` does. */
export function shorten(
  text: string,
  maxLength: number,
  write: (character: string) => string = (it) => it,
): string {
  const written = Array.from(text, write);
  let length = written.reduce((sum, { length }) => sum + length, 0);
  if (length <= maxLength) return written.join("");
  while (length > maxLength - 1) length -= written.pop()?.length ?? length;
  return `${written.join("")}…`;
}
