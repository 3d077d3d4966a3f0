// What is minted, changed and rotated of keys.

import { html } from "./render.js";
import { call } from "./api.js";
import { Dialog } from "./dialogs.js";
import { changed, Check, Choices, Field, Form, instant, lines, localInput, orNull } from "./forms.js";

// The members that limit a key; null where the form leaves one out.
const limits = (form) => ({
  note: orNull(form.get("note").trim()),
  scopes: orNull(form.getAll("scopes")),
  expires_at: instant(form.get("expires_at")),
  rate_limit: orNull(form.get("rate_limit").trim()),
  user_ids: lines(form.get("user_ids")),
  enforce_ownership: form.get("enforce_ownership") !== null,
});

const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));

// Whole scopes before single actions.
const inOrder = (scopes) => ["*", ...scopes.filter((one) => one.includes(":")), ...scopes.filter((one) => !/[:*]/.test(one))];

function Limits({ of: key = {}, scopes }) {
  return html`
    <${Field} label="Note" name="note" defaultValue=${key.note ?? ""} maxlength="500" hint="For people: whose key it is, and what for." />
    <fieldset><legend>Scopes <small>none: everything but users:…</small></legend>
      <${Choices} name="scopes" of=${inOrder(scopes)} chosen=${key.scopes} label="Scopes to choose" />
    </fieldset>
    <${Field} label="Expires" name="expires_at" type="datetime-local" defaultValue=${localInput(key.expires_at)} hint="In your time zone. Empty: never." />
    <${Field} label="Rate limit" name="rate_limit" defaultValue=${key.rate_limit ?? ""} placeholder="600/minute" hint="Empty: that of the service, if any." />
    <${Field} label="Users" name="user_ids" as="textarea" rows="2" defaultValue=${key.user_ids?.join("\n") ?? ""} hint="The only users it acts for, one a line. Empty: any user." />
    <${Check} label="Only tasks of the command's user" name="enforce_ownership" checked=${key.enforce_ownership ?? false} />`;
}

export function MintKey({ scopes, onDone, onClose }) {
  async function mint(form) {
    const named = { key_name: form.get("key_name"), environment: form.get("environment") };
    onDone(await call("POST", "/admin/service-keys", { ...named, ...given(limits(form)) }));
  }
  return html`<${Dialog} title="Mint a key" onClose=${onClose}>
    <${Form} label="Mint" onSubmit=${mint} onCancel=${onClose}>
      <${Field} label="Name" name="key_name" required placeholder="cat-house-prod" hint="Small letters, digits and hyphens." />
      <${Field} label="Environment" name="environment" as="select">
        <option value="prod">prod</option><option value="dev">dev</option><//>
      <${Limits} scopes=${scopes} />
    <//>
  <//>`;
}

export function ChangeKey({ of: key, scopes, onDone, onClose }) {
  async function change(form, opened) {
    const members = changed(limits, form, opened);
    if (Object.keys(members).length) await call("PATCH", `/admin/service-keys/${key.id}`, members);
    onDone();
  }
  return html`<${Dialog} title=${`Change the key ${key.key_name}`} onClose=${onClose}>
    <${Form} label="Change" onSubmit=${change} onCancel=${onClose}><${Limits} of=${key} scopes=${scopes} /><//>
  <//>`;
}

const GRACES = [["604800", "7 days"], ["86400", "1 day"], ["3600", "1 hour"], ["0", "not at all"]];

export function RotateKey({ of: key, onDone, onClose }) {
  async function rotate(form) {
    const grace = Number(form.get("grace_seconds"));
    const made = await call("POST", "/admin/rotate-key", { key_name: key.key_name, grace_seconds: grace });
    onDone({ ...made, ended: !grace });
  }
  return html`<${Dialog} title=${`Rotate the key ${key.key_name}?`} onClose=${onClose}>
    <${Form} label="Rotate" onSubmit=${rotate} onCancel=${onClose}>
      <p>A new key with the same limits takes its place.</p>
      <${Field} label="The old key goes on working for" name="grace_seconds" as="select">
        ${GRACES.map(([seconds, name]) => html`<option key=${seconds} value=${seconds}>${name}</option>`)}<//>
    <//>
  <//>`;
}
