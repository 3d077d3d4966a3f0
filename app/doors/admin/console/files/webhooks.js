// Webhooks: where events are sent to, what came back, and sending again.

import { html, useState } from "./render.js";
import { call } from "./api.js";
import { Confirm, Dialog, Secret } from "./dialogs.js";
import { changed, Choices, Field, Form, instant, lines, localInput, orNull } from "./forms.js";
import { Loaded, useLoaded, usePages } from "./loading.js";
import { Badge, Empty, Facts, Heading, Listed, Time } from "./parts.js";
import { instants, Table } from "./table.js";

const path = (id, act = "") => `/admin/webhooks/${encodeURIComponent(id)}${act}`;
const state = (hook) => (hook.disabled_at ? "disabled" : hook.failing_since ? "failing" : "enabled");
const KINDS = { disabled: "bad", failing: "warn", enabled: "good", pending: "", delivered: "good", retrying: "warn", failed: "bad" };
const State = ({ of }) => html`<${Badge} kind=${KINDS[of]}>${of}<//>`;
const everybody = (hook) => (hook.user_ids ? hook.user_ids.join(", ") : "everybody");

const COLUMNS = [
  { label: "URL", value: (hook) => hook.url, show: (hook) => html`<a href=${`#/webhooks/${hook.id}`}>${hook.url}</a>` },
  { label: "Description", value: (hook) => hook.description },
  { label: "Events", value: (hook) => hook.events.join(", ") },
  { label: "Users", value: everybody },
  { label: "State", tight: true, value: state, show: (hook) => html`<${State} of=${state(hook)} />` },
  instants("Created", (hook) => hook.created_at),
];

export function Webhooks({ status }) {
  return status.doors.includes("webhooks") ? html`<${List} events=${status.events} />` : html`<${Heading}>Webhooks<//>
    <${Empty}>Webhooks are closed here. Set ENCRYPTION_KEY, which keeps their secrets, and start the service again.<//>`;
}

function List({ events }) {
  const hooks = useLoaded(() => call("GET", "/admin/webhooks"));
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  async function add(form) {
    const made = await call("POST", "/admin/webhooks", members(form));
    setOpen({ secret: made });
    hooks.reload();
  }
  return html`
    <div class="title"><${Heading}>Webhooks<//>
      <button type="button" class="primary" onClick=${() => setOpen({ add: true })}>Add a webhook</button></div>
    <${Loaded} of=${hooks}>${(data) => html`<${Table} caption="Webhooks" columns=${COLUMNS} rows=${data.webhooks}
      empty="Nobody is told of events yet. Add a webhook to send them somewhere." />`}<//>
    ${open?.add && html`<${Dialog} title="Add a webhook" onClose=${close}>
      <${Form} label="Add" onSubmit=${add} onCancel=${close}><${Members} events=${events} /><//><//>`}
    ${open?.secret && html`<${Secret} title="Secret of the webhook" value=${open.secret.secret} onClose=${close}>
      <p>With it the receiver verifies what comes from here.</p><//>`}`;
}

const members = (form) => ({
  url: form.get("url").trim(),
  events: form.getAll("events"),
  user_ids: lines(form.get("user_ids")),
  description: orNull(form.get("description").trim()),
});

const Members = ({ of: hook = {}, events }) => html`
  <${Field} label="URL" name="url" type="url" required defaultValue=${hook.url ?? ""} placeholder="https://hooks.example.com/tasks" />
  <fieldset><legend>Events <small>*: all</small></legend>
    <${Choices} name="events" of=${events} chosen=${hook.events} label="Events to choose" /></fieldset>
  <${Field} label="Users" name="user_ids" as="textarea" rows="2" defaultValue=${hook.user_ids?.join("\n") ?? ""} hint="Whose events, one a line. Empty: everybody's." />
  <${Field} label="Description" name="description" defaultValue=${hook.description ?? ""} maxlength="500" />`;

export function WebhookPage({ id, status }) {
  const hook = useLoaded(() => call("GET", path(id)), [id]);
  const [wanted, setWanted] = useState(null);
  const deliveries = usePages(path(id, "/deliveries"), "deliveries", { state: wanted });
  return html`
    <p><a href="#/webhooks">All webhooks</a></p>
    <${Heading}>Webhook<//>
    <${Loaded} of=${hook}>${(one) => html`
      <${Acts} of=${one} events=${status.events} reload=${hook.reload} again=${deliveries.reload} />
      <${Facts} of=${facts(one)} />`}<//>
    <div class="title"><h2>Deliveries</h2><button type="button" onClick=${deliveries.reload}>Refresh</button></div>
    <div class="filter"><label>State <select value=${wanted ?? ""} onChange=${(event) => setWanted(event.target.value || null)}>
      <option value="">any</option>${STATES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label></div>
    <${Loaded} of=${deliveries}>${(rows) => html`<${Table} caption="Deliveries" columns=${DELIVERED} rows=${rows} more=${deliveries.more} loading=${deliveries.loading}
      empty=${wanted ? `None is ${wanted}.` : "Nothing was sent yet. Send a test, or wait for an event."} />`}<//>`;
}

const STATES = ["failed", "retrying", "pending", "delivered"];

const facts = (hook) => [
  ["URL", hook.url],
  ["State", html`<${State} of=${state(hook)} /> ${hook.disabled_reason}`],
  ["Events", hook.events.join(", ")],
  ["Users", html`<${Listed} of=${hook.user_ids} none="everybody" />`],
  ["Description", hook.description ?? "–"],
  ["Created", html`<${Time} at=${hook.created_at} />`],
  ["Failing since", html`<${Time} at=${hook.failing_since} none="it is not" />`],
];

const DELIVERED = [
  { label: "Event", tight: true, value: (one) => one.event },
  { label: "User", value: (one) => one.user_id },
  instants("Occurred", (one) => one.occurred_at),
  { label: "State", tight: true, value: (one) => one.state, show: (one) => html`<${State} of=${one.state} />` },
  { label: "Attempts", tight: true, value: (one) => one.attempts },
  { label: "Answer", value: (one) => one.status ?? one.error },
  { label: "Duration", tight: true, value: (one) => one.duration_ms, show: (one) => (one.duration_ms === null ? "–" : `${one.duration_ms} ms`) },
  instants("Next attempt", (one) => one.next_attempt_at, "none"),
];

function Acts({ of: hook, events, reload, again }) {
  const [open, setOpen] = useState({});
  const [said, setSaid] = useState("");
  const { ask: Ask, secret } = open;
  const close = () => setOpen({});
  const button = (label, ask, kind = null) => html`
    <button type="button" class=${kind} onClick=${() => { setSaid(""); setOpen({ ask }); }}>${label}</button>`;
  function done(words = "") {
    close();
    setSaid(words);
    reload();
    again();
  }
  return html`
    <div class="buttons left">
      <${Test} of=${hook} tell=${setSaid} />
      ${button("Replay", Replay)}
      ${button("Change", Change)}
      ${button("Rotate the secret", Rotate)}
      ${hook.enabled ? button("Disable", Disable) : button("Enable", Enable)}
      ${button("Delete", Delete, "danger")}
    </div>
    <p role="status">${said}</p>
    ${Ask && html`<${Ask} of=${hook} events=${events} done=${done} show=${setOpen} close=${close} />`}
    ${secret && html`<${Secret} title="The new secret" value=${secret.secret} onClose=${close}>
      <p>The old one signs too until <${Time} at=${secret.previous_until} />.</p><//>`}`;
}

function Change({ of: hook, events, done, close }) {
  async function change(form, opened) {
    const body = changed(members, form, opened);
    if (Object.keys(body).length) await call("PATCH", path(hook.id), body);
    done();
  }
  return html`<${Dialog} title=${`Change the webhook ${hook.url}`} onClose=${close}>
    <${Form} label="Change" onSubmit=${change} onCancel=${close}><${Members} of=${hook} events=${events} /><//><//>`;
}

function Replay({ of: hook, done, close }) {
  async function replay(form) {
    const { deliveries } = await call("POST", path(hook.id, "/replay"), { since: instant(form.get("since")) });
    done(`${deliveries} ${deliveries === 1 ? "event is" : "events are"} sent again.`);
  }
  const hourAgo = localInput(Date.now() - 3600000);
  return html`<${Dialog} title=${`Send again to ${hook.url}`} onClose=${close}>
    <${Form} label="Replay" onSubmit=${replay} onCancel=${close}>
      <${Field} label="What was sent since" name="since" type="datetime-local" required
        defaultValue=${hourAgo} hint="In your time zone." /><//><//>`;
}

function Rotate({ of: hook, show, close }) {
  const rotate = async () => show({ secret: await call("POST", path(hook.id, "/rotate-secret")) });
  return html`<${Confirm} title=${`Rotate the secret of ${hook.url}?`} label="Rotate" act=${rotate} onClose=${close}>
    <p>Both sign for 24 hours.</p><//>`;
}

function Disable({ of: hook, done, close }) {
  const disable = async () => { await call("PATCH", path(hook.id), { enabled: false }); done(); };
  return html`<${Confirm} title=${`Disable ${hook.url}?`} label="Disable" act=${disable} onClose=${close}>
    <p>It is told nothing until it is enabled.</p><//>`;
}

function Enable({ of: hook, done, close }) {
  const enable = async () => { await call("PATCH", path(hook.id), { enabled: true }); done(); };
  return html`<${Confirm} title=${`Enable ${hook.url}?`} label="Enable" act=${enable} onClose=${close} />`;
}

function Delete({ of: hook, close }) {
  const remove = async () => { await call("DELETE", path(hook.id)); close(); location.hash = "#/webhooks"; };
  return html`<${Confirm} title=${`Delete the webhook ${hook.url}?`} label="Delete" act=${remove} onClose=${close}>
    <p>Nothing more is sent there.</p><//>`;
}

function Test({ of: hook, tell }) {
  const [busy, setBusy] = useState(false);
  async function send() {
    setBusy(true);
    tell("Sending a test…");
    try {
      const { delivered, status, duration_ms: took, error } = await call("POST", path(hook.id, "/test"));
      tell(`The test ${delivered ? "was delivered" : "failed"}: ${error ?? status}, after ${took} ms.`);
    } catch (error) {
      tell(error.message);
    }
    setBusy(false);
  }
  return html`<button type="button" class="primary" aria-disabled=${busy ? "true" : null} onClick=${busy ? null : send}>Send a test</button>`;
}
