import { expect, test } from "vitest";
import { isBackendPid } from "../../src/pg/backend-pid.ts";

test.each([1, 4_711, 4_194_304])("a process id of %d can be a server's", (pid) => {
  expect(isBackendPid(pid)).toBe(true);
});

test.each([-751_962_419, 0, 4_194_305, 2 ** 31 - 1, null, undefined, "4711", 1.5, Number.NaN])(
  "a process id of %s cannot be a server's",
  (pid) => {
    expect(isBackendPid(pid)).toBe(false);
  },
);
