import { readFile } from "node:fs/promises";
import { rulingOn } from "../src/pg/sql-states.ts";
import { table } from "./table.ts";

const INTRODUCTION = `<!-- Generated from src/recycling/sql-states.ts by \`npm run generate\`: do not edit. -->

# Which errors close a connection

pg-pool closes the connection on which \`pool.query\` failed, whatever the error. \`recycle()\` keeps it, unless the session
may be the cause: a session at fault fails again at every statement until it is closed. So a SQLSTATE is kept only where
the cause lies in the statement, its values, the rows, or other sessions. Every other SQLSTATE closes, those of
extensions and of \`RAISE … USING ERRCODE\` included, unless their class is kept. Errors without a SQLSTATE close too.

After a kept SQLSTATE the connection is closed all the same when its session carries what closing would clear: an open
transaction, prepared statements, settings (\`SET\`, \`set_config\`), temporary objects, \`LISTEN\`, advisory locks, cursors
\`WITH HOLD\`, or whatever a function may have left that is not one of PostgreSQL's common ones.

Two things are not seen. A trigger, a view or an operator may call a function that leaves state, and the text of the
statement does not show it. And \`ALTER ROLE … SET\` or \`ALTER DATABASE … SET\` from outside the pool concerns new sessions
only: a kept connection goes on with what it began with, as one does that never failed, until its lifetime is over or
\`flush()\` closes it. Where such a setting was the cause of an error, its SQLSTATE closes the connection.

These are the codes of [appendix A](https://www.postgresql.org/docs/18/errcodes-appendix.html) of PostgreSQL 18.
`;

/** The codes of appendix A, from the server's own `errcodes.txt`: `Class …` lines, each with its `SQLSTATE name` lines. */
export const APPENDIX_A: URL = new URL("sql-states.txt", import.meta.url);

export async function sqlStatesPage(): Promise<string> {
  const list = await readFile(APPENDIX_A, "utf8");
  const sections = list
    .split(/^Class /m)
    .slice(1)
    .map(section);
  return [INTRODUCTION, ...sections].join("\n");
}

function section(lines: string): string {
  const [title = "", ...codes] = lines.trim().split("\n");
  const rows = codes.map((line) => {
    const [sqlState = "", name = ""] = line.split(" ");
    const { isKept, reason } = rulingOn(sqlState);
    return [`\`${sqlState}\``, name, isKept ? "keep" : "**close**", reason];
  });
  return `## ${title.replace(" - ", ": ")}\n\n${table(["SQLSTATE", "Condition", "Connection", "Reason"], rows)}\n`;
}
