/**
 * Makes something at most once in so many milliseconds, and once for all that ask while it is being made. Failures are not
 * kept: the next call tries again. What was made is let go of when its time is over.
 *
 * @param millis Counted from when the making began. What is made by then is given to nobody any more
 * @param isFit Whether what was made can still be given out
 */
export function shared<T>(
  make: () => Promise<T>,
  millis: number,
  isFit: (made: T) => boolean = () => true,
): () => Promise<T> {
  let latest: Entry<T> | undefined;
  return () => {
    if (
      latest &&
      (!latest.isMade || performance.now() - latest.at < millis) &&
      (latest.value === undefined || isFit(latest.value))
    )
      return latest.made;
    const entry: Entry<T> = { at: performance.now(), made: make(), isMade: false };
    latest = entry;
    const forget = () => {
      if (latest === entry) latest = undefined;
    };
    entry.made.then((value) => {
      entry.isMade = true;
      entry.value = value;
      setTimeout(forget, Math.max(0, entry.at + millis - performance.now())).unref();
    }, forget);
    return entry.made;
  };
}

interface Entry<T> {
  readonly at: number;
  readonly made: Promise<T>;
  isMade: boolean;
  value?: T;
}
