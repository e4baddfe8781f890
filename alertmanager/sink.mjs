import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

/*
 * The receiver of alertmanager.yml and of the demo's own alerts: prints a line for every one that it is sent, and shows
 * the runbooks that alerts point to. Needs nothing but Node.
 *
 *   node alertmanager/sink.mjs     HOST=127.0.0.1  PORT=9094  RUNBOOKS=prometheus/runbooks
 */
const { HOST = "127.0.0.1", PORT = "9094", RUNBOOKS = "prometheus/runbooks" } = process.env;
const MAX_BYTES = 1024 ** 2;
const MAX_LINE = 2_000;

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(oneLine(`${request.method} ${request.url} - ${error.message}`));
    response.writeHead(400).end();
  });
});
server.listen(Number(PORT), HOST, () => {
  const { port } = server.address();
  console.log(`alerts are printed here: http://${HOST}:${port}/`);
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}

async function answer(request, response) {
  const runbook = /^\/runbooks\/([A-Za-z]+)$/.exec(request.url)?.[1];
  if (request.method === "POST") {
    print(JSON.parse(await body(request)));
    response.end();
  } else if (runbook) {
    const text = await readFile(join(RUNBOOKS, `${runbook}.md`)).catch(() => undefined);
    response.writeHead(text ? 200 : 404, { "content-type": "text/markdown; charset=utf-8" });
    response.end(text ?? `There is no runbook for ${runbook}.\n`);
  } else {
    response.end("Alertmanager posts alerts here.\n");
  }
}

async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** What Alertmanager sends, and what poolscope's own webhook() does. */
function print(message) {
  for (const alert of message.alerts ?? [own(message)]) {
    const { status, labels, annotations, startsAt, endsAt } = alert;
    const at = status === "resolved" ? endsAt : startsAt;
    const what = annotations.description ?? annotations.summary ?? "";
    const line = `${at} ${status} ${labels.severity} ${labels.alertname} - ${what} ${annotations.runbook_url ?? ""}`;
    console.log(oneLine(line.trim()));
  }
}

/** Whoever reaches the port chooses what is in a message: it must not draw on a terminal, nor forge another line. */
function oneLine(text) {
  const cut = text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cs}\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu, "\uFFFD");
}

function own({ state, rule, severity, service, summary, since, resolvedAt }) {
  const labels = { alertname: `${rule} of ${service}`, severity };
  return { status: state, labels, annotations: { summary }, startsAt: since, endsAt: resolvedAt };
}
