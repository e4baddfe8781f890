/** A process of its own for one of those compared: `worker.ts <module> <argument>`, then rounds as they are asked for. */
import type { Reply, Request, Start } from "./task.ts";

// What compiles this on the way in leaves maps behind, which make stacks dearer than those of plain JavaScript.
process.setSourceMapsEnabled(false);

const [module = "", argument = "null"] = process.argv.slice(2);
const { start } = (await import(module)) as { start: Start<unknown, unknown, unknown> };
const task = await start(JSON.parse(argument));

process.on("message", (request: Request) => {
  answer(request).then(reply, (error: Error) => reply({ kind: "failed", reason: String(error.stack) }));
});
// The one that asks is gone: nobody waits for more.
process.on("disconnect", () => process.exit());
reply({ kind: "ready" });

async function answer(request: Request): Promise<Reply> {
  if (request.kind === "round") return { kind: "done", output: await task.round(request.input) };
  await task.finish();
  return { kind: "done" };
}

function reply(message: Reply): void {
  process.send?.(message);
}
