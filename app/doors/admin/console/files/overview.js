// How the service is: figures of /metrics since it started, and what /admin/status says.

import { html } from "./htm-preact-3.1.1.js";
import { call, callRaw } from "./api.js";
import { Badge, Facts, Heading, Loaded, useLoaded } from "./parts.js";
import { Table } from "./table.js";

const LINE = /^(\w+)\{([^}]*)\} (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function samples(text) {
  return text.split("\n").map((line) => line.match(LINE)).filter(Boolean).map(([, name, labels, value]) => ({
    name, value: Number(value), ...Object.fromEntries([...labels.matchAll(LABEL)].map(([, label, of]) => [label, of])),
  }));
}

// Where 99 of 100 answers were made, within the bucket by a straight line.
export function p99(buckets) {
  const sorted = [...buckets].sort((one, other) => one.le - other.le);
  const wanted = (sorted.at(-1)?.value ?? 0) * 0.99;
  if (!wanted) return null;
  let below = { le: 0, value: 0 };
  for (const bucket of sorted) {
    if (bucket.value >= wanted) {
      if (bucket.le === Infinity) return Infinity;
      return below.le + (bucket.le - below.le) * ((wanted - below.value) / (bucket.value - below.value));
    }
    below = bucket;
  }
  return null;
}

function byAction(text) {
  const actions = new Map();
  const of = (name) => actions.get(name)
    ?? actions.set(name, { id: name, requests: 0, refused: 0, failed: 0, buckets: new Map() }).get(name);
  for (const sample of samples(text)) {
    if (sample.name === "task_manager_requests_total") {
      const action = of(sample.action);
      action.requests += sample.value;
      if (sample.status >= "500") action.failed += sample.value;
      else if (sample.status >= "400") action.refused += sample.value;
    } else if (sample.name === "task_manager_request_seconds_bucket") {
      const le = sample.le === "+Inf" ? Infinity : Number(sample.le);
      of(sample.action).buckets.set(le, sample.value);
    }
  }
  return [...actions.values()].map(({ buckets, ...rest }) => ({ ...rest, buckets: list(buckets) }));
}

const list = (buckets) => [...buckets].map(([le, value]) => ({ le, value }));

function all(actions) {
  const sum = (member) => actions.reduce((most, one) => most + one[member], 0);
  const buckets = new Map();
  for (const { le, value } of actions.flatMap((one) => one.buckets)) buckets.set(le, (buckets.get(le) ?? 0) + value);
  return { requests: sum("requests"), refused: sum("refused"), failed: sum("failed"), p99: p99(list(buckets)) };
}

function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds === Infinity) return "over 5 s";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
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
  { label: "p99", value: (row) => p99(row.buckets) ?? -1, show: (row) => duration(p99(row.buckets)) },
];

export function Overview() {
  const loaded = useLoaded(load);
  return html`
    <div class="title"><${Heading}>Overview<//>
      <button type="button" onClick=${loaded.reload}>${loaded.loading ? "Loading…" : "Refresh"}</button></div>
    <${Loaded} of=${loaded}>${({ status, actions }) => html`
      <${Figures} sums=${all(actions)} />
      <${Service} status=${status} />
      <h2>By action</h2>
      <${Table} caption="Requests by action" columns=${COLUMNS} rows=${actions}
        empty="No request has been answered yet. Send one to POST /execute." />`}
    <//>`;
}

const Figures = ({ sums }) => html`<dl class="cards">
  <${Card} name="Requests">${number(sums.requests)}<//>
  <${Card} name="Refused (4xx)">${number(sums.refused)}<//>
  <${Card} name="Failed (5xx)">${number(sums.failed)}<//>
  <${Card} name="p99">${duration(sums.p99)}<//>
</dl><p class="muted">Since the service started.</p>`;

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
