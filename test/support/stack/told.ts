import type { Capture } from "./captured.ts";

/** Labels of an alert, some of them. */
export type Labels = Readonly<Record<string, string>>;

export type Phase = "fires" | "ends";

/** Whether Slack was told, with the pool and where to read on. */
export function slackWasTold({ received }: Capture, phase: Phase, labels: Labels): boolean {
  const title = phase === "fires" ? "[FIRING" : "[RESOLVED";
  return received.some(
    ({ body: { attachments: [message] = [] } }) =>
      message?.title.startsWith(title) && isAbout(labels, message.text),
  );
}

/** Whether PagerDuty was told, in the fields that it sorts incidents by. */
export function pagerDutyWasTold({ received }: Capture, phase: Phase, labels: Labels): boolean {
  const action = phase === "fires" ? "trigger" : "resolve";
  return received.some(
    ({ body }) =>
      body.event_action === action &&
      body.payload.severity === "critical" &&
      body.payload.class === labels["alertname"] &&
      (body.payload.component ?? "") === (labels["db_client_connection_pool_name"] ?? "") &&
      isAbout(labels, body.payload.custom_details.alerts) &&
      body.links[0].href === runbook(labels),
  );
}

function isAbout(labels: Labels, text: string): boolean {
  return text.includes(runbook(labels)) && text.includes(labels["db_client_connection_pool_name"] ?? "");
}

function runbook(labels: Labels): string {
  return `http://localhost:9094/runbooks/${labels["alertname"]}`;
}
