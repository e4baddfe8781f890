/**
 * Runs pg-pool's own tests on another pg-pool. `require("../")` of their files returns the class under test behind a
 * Proxy that watches or recycles each pool right after its construction. Preloaded with `--import`, which the processes
 * that the tests fork inherit.
 */
import Module, { createRequire } from "node:module";
import path from "node:path";
import { poolscope, recycle } from "../../../dist/index.js";

const { SUITE_LINE: line, SUITE_MODE: mode } = process.env;
const fromProject = createRequire(import.meta.url.replace(/test\/suites\/.*$/, "package.json"));
const fromSuites = createRequire(import.meta.url);

const testFolder = path.join(path.dirname(fromProject.resolve("pg-pool-3.6")), "test");
const pg = fromProject.resolve(line === "3.6" ? "pg-8.11" : "pg");
const underTest = line === "3.6" ? fromProject.resolve("pg-pool-3.6") : createRequire(pg).resolve("pg-pool");

const prepare = {
  bare: () => {},
  watched: (pool) => scope.watch(pool),
  recycled: (pool) => recycle(pool),
  "recycled with keepOnSqlError: false": (pool) => recycle(pool, { keepOnSqlError: false }),
}[mode];
const scope = mode === "watched" ? poolscope() : undefined;

let standIn;

function standInFor(Pool) {
  standIn ??= new Proxy(Pool, {
    construct(target, args, newTarget) {
      const pool = Reflect.construct(target, args, newTarget === standIn ? target : newTarget);
      prepare(pool);
      return pool;
    },
  });
  return standIn;
}

const { _resolveFilename: resolve, _load: load } = Module;

Module._resolveFilename = function (request, parent, ...rest) {
  if (request === "pg") return pg;
  const isOfTests = parent?.filename && path.dirname(parent.filename) === testFolder;
  if (!isOfTests) return resolve.call(this, request, parent, ...rest);
  if (request === "../" || request === "../index") return underTest;
  if (request === "pg-cursor") return fromProject.resolve(request);
  return request.startsWith(".") || Module.isBuiltin(request)
    ? resolve.call(this, request, parent, ...rest)
    : fromSuites.resolve(request);
};

Module._load = function (request, parent, ...rest) {
  const loaded = load.call(this, request, parent, ...rest);
  const isUnderTest = typeof loaded === "function" && Module._resolveFilename(request, parent) === underTest;
  return isUnderTest ? standInFor(loaded) : loaded;
};
