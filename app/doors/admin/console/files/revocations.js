// Revocations: who is refused at once, and let in again.

import { html, useState } from "./render.js";
import { call } from "./api.js";
import { Confirm, Dialog } from "./dialogs.js";
import { Field, Form, instant } from "./forms.js";
import { Loaded, usePages } from "./loading.js";
import { Badge, Foreign, Heading, visible } from "./parts.js";
import { instants, Table } from "./table.js";

const NAMED = [["user_id", "User"], ["installation_id", "Installation"], ["key_name", "Key"]];
const whom = (one) => NAMED.filter(([name]) => one[name]).map(([name, label]) => `${label} ${visible(one[name])}`).join(", ");
const ended = (one) => one.until !== null && new Date(one.until) <= new Date();

export function Revocations() {
  const revocations = usePages("/admin/revocations", "revocations");
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const done = () => { close(); revocations.reload(); };
  const lift = async () => { await call("DELETE", `/admin/revocations/${open.lift.id}`); done(); };
  const columns = [
    ...NAMED.map(([name, label]) => ({ label, value: (one) => one[name] })),
    { label: "Reason", value: (one) => one.reason },
    { label: "State", tight: true, value: (one) => (ended(one) ? "ended" : "refused"), show: (one) => (ended(one)
      ? html`<${Badge}>ended<//>` : html`<${Badge} kind="bad">refused<//>`) },
    instants("Until", (one) => one.until, "it is lifted"),
    instants("Since", (one) => one.created_at),
    { label: "By", tight: true, value: (one) => one.created_by },
    { label: "Lift", show: (one) => (ended(one) ? "–" : html`
      <button type="button" class="danger" aria-label=${`Lift the revocation of ${whom(one)}`}
        onClick=${() => setOpen({ lift: one })}>Lift</button>`) },
  ];
  return html`
    <div class="title"><${Heading}>Revocations<//>
      <button type="button" class="primary" onClick=${() => setOpen({ revoke: true })}>Revoke access</button></div>
    <${Loaded} of=${revocations}>${(rows) => html`<${Table} caption="Revocations" columns=${columns} rows=${rows} more=${revocations.more} loading=${revocations.loading}
      empty="Nobody is refused. Revoke access where a device was stolen or a user is banned." />`}<//>
    ${open?.revoke && html`<${Revoke} onDone=${done} onClose=${close} />`}
    ${open?.lift && html`<${Confirm} title=${html`Lift the revocation of <${Foreign}>${whom(open.lift)}<//>?`} label="Lift" act=${lift} onClose=${close}>
      <p>Within a second it is let in again.</p><//>`}`;
}

function Revoke({ onDone, onClose }) {
  async function revoke(form) {
    const body = { reason: form.get("reason").trim() };
    for (const [name] of NAMED) if (form.get(name)) body[name] = form.get(name);
    if (form.get("until")) body.until = instant(form.get("until"));
    await call("POST", "/admin/revocations", body);
    onDone();
  }
  return html`<${Dialog} title="Revoke access" onClose=${onClose}>
    <${Form} label="Revoke" danger onSubmit=${revoke} onCancel=${onClose}>
      <p>What matches all that is named is refused within a second. Name one at least.</p>
      <${Field} label="User" name="user_id" maxlength="255" />
      <${Field} label="Installation" name="installation_id" maxlength="255" />
      <${Field} label="Key" name="key_name" maxlength="100" />
      <${Field} label="Reason" name="reason" required maxlength="500" hint="For administrators: who is refused is not told." />
      <${Field} label="Until" name="until" type="datetime-local" hint="In your time zone. Empty: until it is lifted." />
    <//>
  <//>`;
}
