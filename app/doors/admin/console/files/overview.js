// How the service is: figures of /metrics since it started, and what /admin/status says.

import { html } from "./render.js";
import { call, callRaw } from "./api.js";
import { byAction, sums } from "./figures.js";
import { Loaded, useLoaded } from "./loading.js";
import { Badge, Facts, Heading } from "./parts.js";
import { Table } from "./table.js";

function duration({ seconds, over }) {
  if (seconds === null) return "–";
  const words = seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
  return over ? `over ${words}` : words;
}

const lag = (seconds) => (seconds < 1 ? "up to date" : `${Math.round(seconds)} s behind`);

const number = (value) => value.toLocaleString();

async function load() {
  const [status, metrics] = await Promise.all([call("GET", "/admin/status"), callRaw("GET", "/metrics")]);
  return { status, actions: byAction(await metrics.text()) };
}

const Card = ({ name, children }) => html`<div class="card"><dt>${name}</dt><dd>${children}</dd></div>`;

const COLUMNS = [
  { label: "Action", value: (row) => row.id },
  { label: "Requests", value: (row) => row.requests, show: (row) => number(row.requests) },
  { label: "Refused (4xx)", value: (row) => row.refused, show: (row) => number(row.refused) },
  { label: "Failed (5xx)", value: (row) => row.failed, show: (row) => number(row.failed) },
  { label: "p99", value: (row) => row.p99.seconds, words: (row) => duration(row.p99), show: (row) => duration(row.p99) },
];

export function Overview() {
  const loaded = useLoaded(load);
  return html`
    <div class="title"><${Heading}>Overview<//>
      <button type="button" onClick=${loaded.reload}>${loaded.loading ? "Loading…" : "Refresh"}</button></div>
    <${Loaded} of=${loaded}>${({ status, actions }) => html`
      <${Figures} of=${sums(actions)} />
      <${Service} status=${status} />
      <h2>By action</h2>
      <${Table} caption="Requests by action" columns=${COLUMNS} rows=${actions}
        empty="No request has been answered yet. Send one to POST /execute." />`}
    <//>`;
}

const Figures = ({ of }) => html`<dl class="cards">
  <${Card} name="Requests">${number(of.requests)}<//>
  <${Card} name="Refused (4xx)">${number(of.refused)}<//>
  <${Card} name="Failed (5xx)">${number(of.failed)}<//>
  <${Card} name="p99">${duration(of.p99)}<//>
</dl><p class="muted">Of the instance that answers, since it started.</p>`;

const Service = ({ status }) => html`<h2>Service</h2><${Facts} of=${[
  ["Version", status.version],
  ["Schema", status.schema.fault
    ? html`<${Badge} kind="bad">${status.schema.fault}<//>`
    : html`${status.schema.revision} <${Badge} kind="good">suits<//>`],
  ["Doors", html`<ul class="inline">${status.doors.map((door) => html`<li key=${door}><${Badge}>${door}<//></li>`)}</ul>`],
  ["Worker", status.consumers.length
    ? html`<ul class="inline">${status.consumers.map((one) => html`<li key=${one.name}>
        ${one.name} <${Badge} kind=${one.lag_seconds < 60 ? "good" : "bad"}>${lag(one.lag_seconds)}<//></li>`)}</ul>`
    : html`<span class="muted">None has run yet: python -m app worker</span>`],
]} />`;
