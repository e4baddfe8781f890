import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { parse } from "yaml";

const root = new URL("../../", import.meta.url);
const yaml = async (file: string) => parse(await readFile(new URL(file, root), "utf8"));

it("Grafana finds dashboards and data sources where compose puts them", async () => {
  const { services } = await yaml("docker-compose.yml");
  const { datasources } = await yaml("grafana/provisioning/datasources/prometheus.yml");
  const { providers } = await yaml("grafana/provisioning/dashboards/poolscope.yml");
  const mounts = (services.grafana.volumes as string[]).map((volume) => volume.split(":"));

  expect(mounts).toContainEqual(["./grafana/provisioning", "/etc/grafana/provisioning", "ro"]);
  expect(mounts).toContainEqual(["./grafana/dashboards", providers[0].options.path, "ro"]);
  for (const { url } of datasources) expect(Object.keys(services)).toContain(new URL(url).hostname);
});

it("the home dashboard is one of those that are mounted", async () => {
  const { services } = await yaml("docker-compose.yml");
  const home: string = services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
  const files = await readdir(new URL("grafana/dashboards/", root));
  expect(files.map((file) => `/etc/grafana/dashboards/${file}`)).toContain(home);
});

it("rates look back as far as Prometheus' scrapes ask for", async () => {
  const { global } = await yaml("prometheus/prometheus.yml");
  const { datasources } = await yaml("grafana/provisioning/datasources/prometheus.yml");
  expect(datasources[0].jsonData.timeInterval).toBe(global.scrape_interval);
});

it("data sources keep their uids, and one of them is the default", async () => {
  const { datasources } = await yaml("grafana/provisioning/datasources/prometheus.yml");
  const found = datasources.map(({ uid, type, isDefault = false }: Record<string, unknown>) => [
    uid,
    type,
    isDefault,
  ]);
  expect(found).toEqual([
    ["poolscope-prometheus", "prometheus", true],
    ["poolscope-alertmanager", "alertmanager", false],
  ]);
});
