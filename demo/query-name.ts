import type { QueryName } from "poolscope";

/** What a query is about, for `db.query.summary`: `SELECT orders`. */
export const queryName: QueryName = ({ text }) => {
  const match = /^\s*(SELECT|INSERT)\b.*?\b(orders|payments|pg_sleep)\b/s.exec(String(text));
  return match ? `${match[1]} ${match[2]}` : undefined;
};
