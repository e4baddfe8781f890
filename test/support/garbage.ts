import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** What is left on the heap after it is in use. */
export const collectGarbage: () => void = runInNewContext("gc");
