/** One page without anything from elsewhere. What comes from the server is written as text, never as HTML. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>poolscope demo</title>
<link rel="icon" href="data:,">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
  th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #ccc; }
  .healthy { color: #16703a } .warning { color: #96690b } .critical { color: #b3261e } .unknown { color: #666 }
</style>
</head>
<body>
<h1>poolscope demo</h1>
<table>
  <thead>
    <tr><th>pool<th>status<th>in use<th>beyond size<th>waiting<th>gave up<th>verdict
  </thead>
  <tbody id="pools"></tbody>
</table>
<p id="note" role="status">Reading …</p>
<ul>
  <li><a href="/health">/health</a>
  <li><a href="/health/database">/health/database</a>
  <li><a href="/health/database/orders">/health/database/orders</a>
  <li><a href="/health/database/reports">/health/database/reports</a>
  <li><a href="/metrics">/metrics</a>
</ul>
<script>
  function cell(text, className) {
    const td = document.createElement("td");
    td.textContent = text;
    td.className = className ?? "";
    return td;
  }
  function row(pool) {
    const tr = document.createElement("tr");
    tr.append(
      cell(pool.name),
      cell(pool.status, pool.status),
      cell(pool.in_use + " of " + pool.total_capacity),
      cell(pool.overflow_active),
      cell(pool.pending),
      cell(pool.timeouts.wait + pool.timeouts.dial),
      cell(pool.verdict),
    );
    return tr;
  }
  async function refresh() {
    const note = document.getElementById("note");
    try {
      const health = await (await fetch("/health/database")).json();
      document.getElementById("pools").replaceChildren(...health.pools.map(row));
      note.textContent = health.message ?? "Read at " + health.timestamp;
    } catch {
      note.textContent = "The demo does not answer.";
    }
    setTimeout(refresh, 1000);
  }
  refresh();
</script>
</body>
</html>
`;
