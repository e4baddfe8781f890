import { type Profiler, Session } from "node:inspector/promises";

/** Units of CPU time by function. */
export type Shares = Readonly<Record<string, number>>;

/** What V8 and Node do for whoever calls them, where it tells something. */
const OTHERS = new Set(["(garbage collector)", "write", "utf8Write", "latin1Write", "createUnsafeBuffer"]);

/**
 * Does something, and says where the CPU time of it went: into poolscope's functions, those inlined in others too, and
 * into the {@link OTHERS}.
 *
 * @param unit Microseconds of all of it are divided by this
 */
export async function sampled(unit: number, act: () => Promise<unknown>): Promise<Shares> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 100 });
  await session.post("Profiler.start");
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return sharesOf(profile, (user + system) / unit);
}

function sharesOf({ nodes, samples = [] }: Profiler.Profile, total: number): Shares {
  const poolscope = import.meta.resolve("poolscope");
  const names = new Map<number, string>();
  for (const { id, callFrame } of nodes) {
    const { functionName, url } = callFrame;
    if (url === poolscope) names.set(id, `\`${functionName || "(anonymous)"}\``);
    else if (OTHERS.has(functionName)) names.set(id, `\`${functionName}\`, not poolscope's own`);
  }
  const shares: Record<string, number> = {};
  for (const sample of samples) {
    const name = names.get(sample);
    if (name !== undefined) shares[name] = (shares[name] ?? 0) + total / samples.length;
  }
  return shares;
}
