// Service keys: the list, and all about one of them.

import { html, useState } from "./render.js";
import { call, query } from "./api.js";
import { Bars, lastDays, Legend, summary, total } from "./chart.js";
import { ChangeKey, MintKey, RotateKey } from "./key_forms.js";
import { Confirm, Secret } from "./dialogs.js";
import { Loaded, useLoaded } from "./loading.js";
import { Badge, Facts, Heading, Listed, Time } from "./parts.js";
import { instants, Table } from "./table.js";

const KINDS = { active: "good", expiring: "warn", superseded: "warn", expired: "", revoked: "bad" };
const State = ({ of }) => html`<${Badge} kind=${KINDS[of]}>${of}<//>`;
const ending = (key) => (key.last_four ? `…${key.last_four}` : "–");
const scopes = (key) => (key.scopes === null ? "everything" : key.scopes.join(", "));

const path = (id) => `/admin/service-keys/${id}`;
const rotatable = (key) => ["active", "expiring"].includes(key.state);

const COLUMNS = [
  { label: "Name", value: (key) => key.key_name, show: (key) => html`<a href=${`#/keys/${key.id}`}>${key.key_name}</a>` },
  { label: "Environment", tight: true, value: (key) => key.environment },
  { label: "Ends in", tight: true, value: ending, show: (key) => html`<code>${ending(key)}</code>` },
  { label: "Scopes", tight: true, value: scopes, show: (key) => html`<span class="clip" title=${scopes(key)}>${scopes(key)}</span>` },
  { label: "State", tight: true, value: (key) => key.state, show: (key) => html`<${State} of=${key.state} />` },
  instants("Created", (key) => key.created_at),
  instants("Expires", (key) => key.expires_at),
  instants("Last used", (key) => key.last_used_at),
  { label: "14 days", show: (key) => html`<${Bars} days=${lastDays(key.usage)} />` },
];

export function Keys({ status }) {
  const keys = useLoaded(() => call("GET", `/admin/service-keys${query({ usage: true })}`));
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const minted = (made) => { setOpen({ secret: made }); keys.reload(); };
  return html`
    <div class="title"><${Heading}>Keys<//>
      <button type="button" class="primary" onClick=${() => setOpen({ mint: true })}>Mint a key</button></div>
    <${Loaded} of=${keys}>${(data) => html`<${Table} caption="Service keys" columns=${COLUMNS} rows=${data.keys}
      empty="There is no key yet. Mint one, and give it to a client." />`}<//>
    ${open?.mint && html`<${MintKey} scopes=${status.scopes} onDone=${minted} onClose=${close} />`}
    ${open?.secret && html`<${Secret} title=${`Key ${open.secret.key_name}`} value=${open.secret.service_key} onClose=${close} />`}`;
}

const facts = (key) => [
  ["State", html`<${State} of=${key.state} />`],
  ["Environment", key.environment ?? "–"],
  ["Ends in", html`<code>${ending(key)}</code>`],
  ["Note", key.note ?? "–"],
  ["Scopes", scopes(key)],
  ["Users", html`<${Listed} of=${key.user_ids} none="any user" />`],
  ["Sees", key.enforce_ownership ? "tasks of the command's user only" : "tasks of all its users"],
  ["Rate limit", key.rate_limit ?? "that of the service, if any"],
  ["Created", html`<${Time} at=${key.created_at} />`],
  ["Expires", html`<${Time} at=${key.expires_at} />`],
  ["Last used", html`<${Time} at=${key.last_used_at} />`],
];

export function KeyPage({ id, status }) {
  const card = useLoaded(() => call("GET", path(encodeURIComponent(id))), [id]);
  return html`
    <p><a href="#/keys">All keys</a></p>
    <${Heading}>${card.data ? `Key ${card.data.key_name}` : "Key"}<//>
    <${Loaded} of=${card}>${(key) => html`
      <${Acts} of=${key} scopes=${status.scopes} reload=${card.reload} />
      ${!rotatable(key) && html`<${Successor} of=${key} />`}
      <${Facts} of=${facts(key)} />
      <${Usage} usage=${key.usage} />`}<//>`;
}

function Acts({ of: key, scopes: known, reload }) {
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const done = () => { close(); reload(); };
  const rotated = (made) => { setOpen({ secret: made }); reload(); };
  const revoke = async () => { await call("DELETE", path(key.id)); done(); };
  if (key.state === "revoked" && !open) return html`<p class="muted">It has ended for good.</p>`;
  return html`
    <div class="buttons left">
      <button type="button" onClick=${() => setOpen({ change: true })}>Change</button>
      ${rotatable(key) && html`<button type="button" onClick=${() => setOpen({ rotate: true })}>Rotate</button>`}
      <button type="button" class="danger" onClick=${() => setOpen({ revoke: true })}>Revoke</button>
    </div>
    ${open?.change && html`<${ChangeKey} of=${key} scopes=${known} onDone=${done} onClose=${close} />`}
    ${open?.rotate && html`<${RotateKey} of=${key} onDone=${rotated} onClose=${close} />`}
    ${open?.revoke && html`<${Confirm} title=${`Revoke the key ${key.key_name} (${ending(key)})?`} label="Revoke" act=${revoke} onClose=${close}>
      <p>Within a second every worker refuses it, for good.</p><//>`}
    ${open?.secret && html`<${Secret} title=${`The new key ${key.key_name}`} value=${open.secret.new_key} onClose=${close}>
      <p>${open.secret.ended ? "The old one has ended." : html`The old one works until <${Time} at=${open.secret.old_key_expires_at} />.`}</p><//>`}`;
}

// Where a key is not the one of its name any more: which one is.
function Successor({ of: key }) {
  const keys = useLoaded(() => call("GET", "/admin/service-keys"), [key.id]);
  return html`<${Loaded} of=${keys}>${({ keys: listed }) => {
    const newest = listed.find((one) => one.key_name === key.key_name);
    return newest.id !== key.id && html`<p>Its name has a newer key:${" "}
      <a href=${`#/keys/${newest.id}`}>${newest.key_name} (${ending(newest)})</a></p>`;
  }}<//>`;
}

const FIGURES = [
  { label: "Answered", value: (one) => one.ok },
  { label: "Refused", value: (one) => one.refused },
  { label: "Failed", value: (one) => one.failed },
];

function Usage({ usage }) {
  const actions = [...new Set(usage.map((one) => one.action))].map((id) => {
    const days = lastDays(usage.filter((one) => one.action === id));
    return { id, days, ok: total(days, "ok"), refused: total(days, "refused"), failed: total(days, "failed") };
  });
  const days = lastDays(usage);
  return html`<h2>Use</h2>
    <p>${summary(days)}. Days are of UTC; figures are a few seconds old.</p>
    <div class="plot"><${Bars} days=${days} tall=${60} /></div><${Legend} />
    <h3>By day</h3>
    <details><summary>Figures of ${days.length} days</summary>
      <${Table} caption="Use by day" rows=${days} columns=${[{ label: "Day (UTC)", value: (one) => one.day }, ...FIGURES]} /></details>
    <h3>By action</h3>
    <${Table} caption="Use by action in 14 days" rows=${actions} empty="Nobody has used the key yet. Give it to a client." columns=${[
      { label: "Action", value: (one) => one.id },
      ...FIGURES,
      { label: "14 days", show: (one) => html`<${Bars} days=${one.days} />` },
    ]} />`;
}
