// The page: who is in, and which section is shown.

import { html, render, useEffect, useState } from "./render.js";
import { call, isSignedIn, signIn, signOut, whenSignedOut } from "./api.js";
import { Audit } from "./audit.js";
import { KeyPage, Keys } from "./keys.js";
import { Overview } from "./overview.js";
import { Field, Form } from "./forms.js";
import { Loaded, useLoaded } from "./loading.js";
import { Badge, Heading, Refused } from "./parts.js";
import { Revocations } from "./revocations.js";
import { Users } from "./users.js";
import { WebhookPage, Webhooks } from "./webhooks.js";

const SECTIONS = [
  ["overview", "Overview", Overview],
  ["keys", "Keys", Keys, KeyPage],
  ["webhooks", "Webhooks", Webhooks, WebhookPage],
  ["revocations", "Revocations", Revocations],
  ["audit", "Audit", Audit],
  ["user", "User", Users, Users],
];

// "#/keys/<id>": the section and what is shown of it.
function place() {
  const [, name, rest = ""] = location.hash.match(/^#\/([a-z]+)(?:\/(.*))?$/) ?? [];
  const section = SECTIONS.find(([known]) => known === name) ?? SECTIONS[0];
  try {
    return { section, id: decodeURIComponent(rest) };
  } catch {
    return { section, id: "" };
  }
}

function usePlace() {
  const [here, setHere] = useState(place);
  useEffect(() => {
    const move = () => setHere(place());
    addEventListener("hashchange", move);
    return () => removeEventListener("hashchange", move);
  }, []);
  return here;
}

function Door({ reason, enter }) {
  async function submit(form) {
    enter(await signIn(form.get("key")));
  }
  useEffect(() => document.getElementById("field-key").focus(), []);
  return html`<main class="door">
    <${Heading} focused=${false}>Console<//>
    <p>For administrators of the Task Manager. The key stays in this tab.</p>
    <${Refused} error=${reason} />
    <${Form} label="Enter" onSubmit=${submit}>
      <${Field} label="Admin key" name="key" type="password" autocomplete="off" required />
    <//>
  </main>`;
}

function Inside({ status }) {
  const { section: [name, title, List, One], id } = usePlace();
  useEffect(() => { document.title = `${title} · Task Manager`; }, [title]);
  const Section = id && One ? One : List;
  const skip = (event) => { event.preventDefault(); document.querySelector("h1").focus(); };
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header>
      <strong>Task Manager</strong> <${Badge}>${status.environment}<//>
      <nav aria-label="Sections"><ul>${SECTIONS.map(([path, label]) => html`<li key=${path}>
        <a href=${`#/${path}`} aria-current=${path === name ? "page" : null}>${label}</a>
      </li>`)}</ul></nav>
      <button type="button" onClick=${() => signOut()}>Sign out</button>
    </header>
    <main id="main"><${Section} key=${`${name}/${id}`} id=${id} status=${status} /></main>`;
}

function Restored({ enter }) {
  const status = useLoaded(() => call("GET", "/admin/status"));
  useEffect(() => { if (status.data) enter(status.data); }, [status.data]);
  return html`<main class="door"><h1>Console</h1><${Loaded} of=${status}>${() => null}<//></main>`;
}

function Console() {
  const [state, setState] = useState({ inside: isSignedIn() });
  useEffect(() => whenSignedOut((reason) => setState({ inside: false, reason })), []);
  const enter = (status) => setState({ inside: true, status });
  if (!state.inside) return html`<${Door} reason=${state.reason} enter=${enter} />`;
  if (!state.status) return html`<${Restored} enter=${enter} />`;
  return html`<${Inside} status=${state.status} />`;
}

const root = document.getElementById("console");
let focused = null;

// Whoever was at something that is gone is at the heading, not at the beginning of the page.
function keepFocus() {
  if (!focused || focused.isConnected || document.activeElement !== document.body) return;
  focused = null;
  document.querySelector("h1")?.focus();
}

addEventListener("focusin", (event) => { focused = event.target; });
new MutationObserver(keepFocus).observe(root, { childList: true, subtree: true });
root.replaceChildren();
render(html`<${Console} />`, root);
