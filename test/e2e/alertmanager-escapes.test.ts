import { afterEach, describe, expect, it } from "vitest";
import { type Alertmanager, type PostedAlert, startAlertmanager } from "../support/alertmanager.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";

const POOL = "<!channel> <https://evil.example|Runbook> & \u001b[31m\u202Egro\nAll is well";
const ESCAPED =
  "&lt;!channel&gt; &lt;https://evil.example|Runbook&gt; &amp; \uFFFD[31m\uFFFDgro\uFFFDAll is well";
const PLAIN = "<!channel> <https://evil.example|Runbook> & \uFFFD[31m\uFFFDgro\uFFFDAll is well";

let running: Alertmanager | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function alert(annotations: PostedAlert["annotations"] = {}): PostedAlert {
  const labels = {
    alertname: "PoolscopePoolExhausted",
    severity: "critical",
    job: "<!here>",
    instance: "a",
    db_client_connection_pool_name: POOL,
  };
  return { labels, annotations };
}

type Body = Receiver["received"][number]["body"];

async function sent(posted: PostedAlert): Promise<{ slack: Body; page: Body }> {
  const receiver = await startReceiver();
  const changes = {
    "https://events.pagerduty.com/v2/enqueue": `${receiver.origin}/pagerduty`,
    "/run/secrets": "{folder}/secrets",
    "group_wait: 10s": "group_wait: 500ms",
    "group_interval: 1m": "group_interval: 500ms",
  };
  const secrets = {
    slack_webhook_url: `${receiver.origin}/slack\n`,
    pagerduty_routing_key: "a routing key\n",
  };
  running = await startAlertmanager("notify.yml", changes, secrets);
  await running.post([posted]);
  return until(() => {
    const of = (path: string) => receiver.received.find((message) => message.path === path)?.body;
    const slack = of("/slack");
    const page = of("/pagerduty");
    return slack && page ? { slack, page } : undefined;
  });
}

describe("notify.yml escapes what pools, services and instances are called", () => {
  it("in the summary and the description of an alert", async () => {
    const { slack, page } = await sent(
      alert({
        summary: `Pool ${POOL} of shop is exhausted`,
        description: `All 10 connections of pool ${POOL} have been in use.`,
        runbook_url: "http://localhost:9094/runbooks/PoolscopePoolExhausted",
      }),
    );
    expect(slack.attachments).toMatchObject([
      {
        title: `[FIRING] Pool ${ESCAPED} of shop is exhausted`,
        fallback: `[FIRING] Pool ${ESCAPED} of shop is exhausted`,
        text:
          `All 10 connections of pool ${ESCAPED} have been in use.\n` +
          "Runbook: http://localhost:9094/runbooks/PoolscopePoolExhausted",
      },
    ]);
    expect(page.payload).toMatchObject({
      summary: `[FIRING] Pool ${PLAIN} of shop is exhausted`,
      group: "<!here>",
      component: PLAIN,
      custom_details: { alerts: expect.stringContaining(`of pool ${PLAIN} have been in use.\n`) },
    });
  });

  it("in the labels of an alert that has no summary", async () => {
    const { slack, page } = await sent(alert());
    const [attachment] = slack.attachments;
    expect(attachment.title).toContain(`${ESCAPED} &lt;!here&gt;`);
    expect(JSON.stringify(slack)).not.toMatch(/[<>]/);
    expect(page.payload.summary).toContain(`${PLAIN} <!here>`);
  });
});
