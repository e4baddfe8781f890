/** `Retry-After`: seconds, or a date. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 */
export function retryAfterMillis(header: string | null): number | undefined {
  const value = header?.trim() ?? "";
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1000;
  // `Date.parse` takes much for a date; those of HTTP end like this.
  const at = value.endsWith(" GMT") ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
