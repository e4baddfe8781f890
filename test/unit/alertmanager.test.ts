import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ALERTS, ROOT } from "../support/rules.ts";

interface Config {
  readonly route: Route;
  readonly inhibit_rules: readonly {
    readonly source_matchers: readonly string[];
    readonly target_matchers: readonly string[];
    readonly equal?: readonly string[];
  }[];
  readonly receivers: readonly { readonly name: string }[];
}

interface Route {
  readonly receiver: string;
  readonly group_by?: readonly string[];
  readonly routes?: readonly Route[];
}

const sink = config("alertmanager.yml");
const notify = config("notify.yml");

describe("alertmanager", () => {
  it("routes and inhibits alike, whoever receives", () => {
    expect(notify.route).toEqual(sink.route);
    expect(notify.inhibit_rules).toEqual(sink.inhibit_rules);
    expect(notify.receivers.map(({ name }) => name)).toEqual(sink.receivers.map(({ name }) => name));
  });

  it("inhibits alerts that there are, by alerts that there are", () => {
    for (const { source_matchers, target_matchers } of sink.inhibit_rules) {
      for (const matcher of [...source_matchers, ...target_matchers]) {
        const [, names = ""] = /^alertname=~?"(.+)"$/.exec(matcher) ?? [];
        for (const name of names.split("|").filter(Boolean)) {
          expect(
            ALERTS.map(({ alert }) => alert),
            matcher,
          ).toContain(name);
        }
      }
    }
  });

  it("keeps secrets in files, and none in the configuration", () => {
    for (const file of ["alertmanager.yml", "notify.yml"]) {
      const text = read(file);
      expect(text).not.toMatch(
        /^\s*(?:- )?(api_url|slack_api_url|routing_key|service_key|password|bearer_token):/m,
      );
      expect(text).not.toMatch(/hooks\.slack\.com/);
    }
    expect(read("notify.yml")).toContain("slack_api_url_file: /run/secrets/slack_webhook_url");
    expect(read("notify.yml")).toContain("routing_key_file: /run/secrets/pagerduty_routing_key");
  });
});

function config(file: string): Config {
  return parse(read(file)) as Config;
}

function read(file: string): string {
  return readFileSync(join(ROOT, "alertmanager", file), "utf8");
}
