import fc from "fast-check";

/** What stands in place of a password: seen anywhere, it was leaked. Has a letter that no word of poolscope has twice. */
export const MARKER = "S3CRETqq";

/** Options of a pool and environment that carry a password, most of them in the wrong place or the wrong form. */
export interface Connecting {
  readonly options: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
  /** As it was meant. */
  readonly password: string;
}

const HOST = "127.0.0.1";
const PORT = 1;

const printables = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
const noise = fc.oneof(
  fc.string({ unit: fc.constantFrom(...printables), maxLength: 4 }),
  // What cuts a URL in two.
  fc.constantFrom("/", "?", "#", "80/", "80?", "80#", "/x?", "/x#", "@1/", "?host=", "%", " ", "é"),
);
const passwords = fc.tuple(noise, noise).map(([before, after]) => `${before}${MARKER}${after}`);
/** None, or as encodeURIComponent, or only some. */
const encoding = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text,
  encodeURIComponent,
  encodeURI,
);

const urls = fc
  .record({
    scheme: fc.constantFrom(
      "postgres://",
      "postgresql://",
      "POSTGRES://",
      "jdbc:postgresql://",
      "postgres:/",
      "",
    ),
    user: fc.constantFrom("app", "app@tenant", "a.b", "", "app:8080"),
    host: fc.constantFrom(HOST, `${HOST}:${PORT}`, "[::1]:1", "db.example", "", "%2Fvar%2Frun%2Fpostgresql"),
    path: fc.constantFrom("/shop", "", "/", "/shop?sslmode=disable", "/shop#x", "/shop?application_name=a@b"),
  })
  .chain(({ scheme, user, host, path }) =>
    fc.constantFrom<(password: string) => string>(
      (password) => `${scheme}${user}:${password}@${host}${path}`,
      (password) => `${scheme}${host}${path}&password=${password}`,
      // A plain & begins another parameter.
      (password) => `${scheme}${host}${path}?user=${user}&password=${password.replaceAll("&", "%26")}`,
      (password) => `${scheme}${host}${path};user=${user};password=${password}`,
      (password) => `${scheme}${host}${path} user=${user} password=${password}`,
    ),
  );
const others = fc.constantFrom<(password: string) => string>(
  (password) => `host=${HOST} port=${PORT} user=app password=${password} dbname=shop`,
  (password) => `password = '${password}' host = ${HOST}`,
  (password) => `${HOST}:${PORT}:shop:app:${password}`,
  (password) => `Server=${HOST};Port=${PORT};User Id=app;Password=${password};`,
  (password) => JSON.stringify({ host: HOST, user: "app", password }),
  (password) => `app:${password}@${HOST}/shop`,
  (password) => `/var/run/postgresql shop:${password}`,
  (password) => `/var/run/postgresql password=${password}`,
  (password) => `socket:/var/run/postgresql?db=shop&password=${password}`,
);
const wrapping = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text,
  (text) => text,
  (text) => ` ${text}`,
  (text) => `"${text}"`,
  (text) => `${text}\n`,
  (text) => `DATABASE_URL=${text}`,
  encodeURIComponent,
);

type Place = (text: string, password: string) => Pick<Connecting, "options" | "environment">;
const place = fc.constantFrom<Place>(
  (text) => ({ options: { connectionString: text }, environment: {} }),
  (text) => ({ options: { connectionString: text }, environment: {} }),
  (text) => ({ options: { database: text, host: HOST, port: PORT }, environment: {} }),
  (text) => ({ options: { user: text, host: HOST, port: PORT }, environment: {} }),
  (text) => ({ options: { host: text, port: PORT, database: "shop" }, environment: {} }),
  (text) => ({ options: { host: HOST, port: text, database: "shop" }, environment: {} }),
  (text) => ({ options: {}, environment: { PGDATABASE: text, PGHOST: HOST, PGPORT: `${PORT}` } }),
  (text) => ({ options: {}, environment: { PGHOST: text, PGPORT: `${PORT}` } }),
  (text) => ({ options: { host: HOST, port: PORT }, environment: { PGUSER: text } }),
  (text) => ({ options: { host: HOST }, environment: { PGPORT: text, PGUSER: "app" } }),
  (_, password) => ({ options: { host: HOST, port: PORT, password }, environment: { PGPASSWORD: password } }),
);

export const connecting: fc.Arbitrary<Connecting> = fc
  .tuple(passwords, encoding, fc.oneof({ weight: 3, arbitrary: urls }, others), wrapping, place)
  .map(([password, encode, write, wrap, put]) => ({
    ...put(wrap(write(encode(password))), password),
    password,
  }));

/** Runs `act` with these variables and none else of pg's. */
export function withEnvironment<T>(environment: Readonly<Record<string, string>>, act: () => T): T {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith("PG")) delete process.env[name];
  // An environment cannot hold it.
  for (const [name, value] of Object.entries(environment)) process.env[name] = value.replaceAll("\0", "");
  try {
    return act();
  } finally {
    process.env = before;
  }
}
