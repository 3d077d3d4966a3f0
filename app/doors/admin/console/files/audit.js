// What administrators did.

import { html } from "./render.js";
import { Loaded, usePages } from "./loading.js";
import { Foreign, Heading } from "./parts.js";
import { instants, Table } from "./table.js";

const shown = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

// The members that the act made, took away or changed.
function differences({ before, after }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names.filter((name) => shown(before?.[name]) !== shown(after?.[name]));
}

function Change({ act }) {
  const names = differences(act);
  if (!names.length) return html`<span class="muted">–</span>`;
  return html`<details><summary>${names.length} ${names.length === 1 ? "member" : "members"}</summary>
    <dl class="changes">${names.map((name) => html`<div key=${name}><dt>${name}</dt><dd>
      <del><span class="hidden">before: </span><${Foreign}>${shown(act.before?.[name])}<//></del> →
      ${" "}<ins><span class="hidden">after: </span><${Foreign}>${shown(act.after?.[name])}<//></ins></dd></div>`)}
    </dl></details>`;
}

const COLUMNS = [
  instants("When", (act) => act.occurred_at),
  { label: "Who", tight: true, value: (act) => act.administrator },
  { label: "Act", tight: true, value: (act) => act.act },
  { label: "Object", value: (act) => act.object, show: (act) => html`<span class="long"><${Foreign}>${act.object}<//></span>` },
  { label: "Changed", tight: true, value: (act) => differences(act).length, words: (act) => differences(act).join(" "), show: (act) => html`<${Change} act=${act} />` },
  { label: "Address", tight: true, value: (act) => act.address },
  { label: "Request", value: (act) => act.request_id, show: (act) => html`<code class="long">${act.request_id ?? "–"}</code>` },
];

export function Audit() {
  const acts = usePages("/admin/audit", "acts");
  return html`<div class="title"><${Heading}>Audit<//><button type="button" onClick=${acts.reload}>Refresh</button></div>
    <${Loaded} of=${acts}>${(rows) => html`<${Table} caption="Acts of administrators" columns=${COLUMNS} rows=${rows} more=${acts.more} loading=${acts.loading}
      empty="No administrator has done anything yet. Mint a key, and it stands here." />`}<//>`;
}
