// What every section is made of.

import { html, useCallback, useEffect, useRef, useState } from "./htm-preact-3.1.1.js";

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// In the administrator's zone; the UTC instant on hover.
export function Time({ at, none = "never" }) {
  if (!at) return html`<span class="muted">${none}</span>`;
  const instant = new Date(at);
  const utc = `${instant.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return html`<time datetime=${instant.toISOString()} title=${utc}>${LOCAL.format(instant)}</time>`;
}

export const Badge = ({ kind = "", children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

export const Refused = ({ error }) => error && html`<p class="refused" role="alert">
  ${error.message}${error.requestId && html` <small>Request ${error.requestId}</small>`}
</p>`;

export const Busy = ({ children = "Loading…" }) => html`<p class="muted busy" role="status">${children}</p>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// Its focus tells a screen reader where one has come to, and is kept when a row is gone.
export function Heading({ children, focused = true }) {
  const heading = useRef();
  useEffect(() => { if (focused) heading.current.focus(); }, []);
  return html`<h1 tabindex="-1" ref=${heading}>${children}</h1>`;
}

// What `load` returns, the error it threw, and how to ask again.
export function useLoaded(load, inputs = []) {
  const [state, setState] = useState({ loading: true });
  const turn = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++turn.current;
    const settle = (next) => mine === turn.current && setState(next);
    setState((old) => ({ ...old, loading: true }));
    try {
      const data = await load();
      settle({ data, loading: false });
    } catch (error) {
      settle((old) => ({ ...old, error, loading: false }));
    }
  }, inputs);
  useEffect(() => { reload(); return () => { turn.current++; }; }, [reload]);
  return { ...state, reload };
}

// A loaded thing: progress, then what was refused, or the thing.
export const Loaded = ({ of, children }) => html`
  <${Refused} error=${of.error} />
  ${of.data !== undefined ? children(of.data) : of.loading && html`<${Busy} />`}`;

let titles = 0;

// Modal; whoever closes it is back where they were, or at the heading where that is gone.
export function Dialog({ title, onClose, children }) {
  const box = useRef();
  const [id] = useState(() => `dialog-${++titles}`);
  useEffect(() => {
    const opener = document.activeElement;
    const shown = box.current;
    shown.showModal();
    return () => {
      shown.close();
      setTimeout(() => {
        const back = opener.isConnected ? opener : document.querySelector("h1");
        if (!document.querySelector("dialog[open]")) back?.focus();
      });
    };
  }, []);
  const cancel = (event) => { event.preventDefault(); onClose(); };
  return html`<dialog ref=${box} aria-labelledby=${id} onCancel=${cancel}>
    <h2 id=${id}>${title}</h2>${children}
  </dialog>`;
}

// A form whose submission is one request; what is refused is shown, and what was typed stays.
export function Form({ label, danger, onSubmit, onCancel, children }) {
  const [state, setState] = useState({});
  async function submit(event) {
    event.preventDefault();
    if (state.busy) return;
    setState({ busy: true });
    try {
      await onSubmit(new FormData(event.target));
      setState({});
    } catch (error) {
      setState({ error });
    }
  }
  return html`<form onSubmit=${submit} autocomplete="off">
    ${children}
    <${Refused} error=${state.error} />
    <div class="buttons">
      ${onCancel && html`<button type="button" onClick=${onCancel}>Cancel</button>`}
      <button class=${danger ? "danger" : "primary"} aria-disabled=${state.busy ? "true" : null}>
        ${state.busy ? "Working…" : label}
      </button>
    </div>
  </form>`;
}

// Asks once, naming the thing.
export const Confirm = ({ title, label, act, onClose, children }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    <${Form} label=${label} danger onSubmit=${act} onCancel=${onClose}>${children}<//>
  <//>`;

export function Field({ label, hint, name, as = "input", children, ...rest }) {
  const id = `field-${name}`;
  const described = hint ? `${id}-hint` : null;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <${as} id=${id} name=${name} aria-describedby=${described} ...${rest}>${children}<//>
    ${hint && html`<small id=${described}>${hint}</small>`}
  </div>`;
}

export const Check = ({ label, name, checked, value = "on" }) => html`<label class="check">
  <input type="checkbox" name=${name} value=${value} defaultChecked=${checked} /> ${label}
</label>`;

// Shown this once: nobody can ask for it again.
export function Secret({ title, value, onClose, children }) {
  const [said, setSaid] = useState("");
  const shown = useRef();
  async function copy() {
    try {
      await navigator.clipboard.writeText(value);
      setSaid("Copied");
    } catch {
      getSelection().selectAllChildren(shown.current);
      setSaid("Selected: copy it with your keyboard");
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>Copy it now. It is shown this once.</p>
    <p><code class="secret" ref=${shown}>${value}</code></p>
    ${children}
    <div class="buttons">
      <span role="status">${said}</span>
      <button class="primary" type="button" onClick=${copy}>Copy</button>
      <button type="button" onClick=${onClose}>Done</button>
    </div>
  <//>`;
}

// The names and values of a thing.
export const Facts = ({ of }) => html`<dl class="facts">
  ${of.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;

export const listed = (text) => text.split(/[\n,]/).map((one) => one.trim()).filter(Boolean);
export const instant = (text) => (text ? new Date(text).toISOString() : null);

// An instant as <input type="datetime-local"> has it.
export function localInput(at) {
  if (!at) return "";
  const when = new Date(at);
  return new Date(when - when.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
