// What is filled in and sent.

import { html, useEffect, useRef, useState } from "./render.js";
import { Refused } from "./parts.js";

// A form whose submission is one request; what is refused is shown, and what was typed stays.
// `onSubmit` has what stands in it, and what stood in it when it was opened.
export function Form({ label, danger, onSubmit, onCancel, children }) {
  const [state, setState] = useState({});
  const form = useRef();
  const opened = useRef();
  useEffect(() => { opened.current = new FormData(form.current); }, []);
  async function submit(event) {
    event.preventDefault();
    if (state.busy) return;
    setState({ busy: true });
    try {
      await onSubmit(new FormData(form.current), opened.current);
      setState({});
    } catch (error) {
      setState({ error });
    }
  }
  return html`<form ref=${form} onSubmit=${submit} autocomplete="off">
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

export function Field({ label, hint, name, as = "input", children, ...rest }) {
  const id = `field-${name}`;
  const described = hint ? `${id}-hint` : null;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <${as} id=${id} name=${name} aria-describedby=${described} ...${rest}>${children}<//>
    ${hint && html`<small id=${described}>${hint}</small>`}
  </div>`;
}

export const Choices = ({ name, of, chosen, label }) => html`
  <div class="choices" tabindex="0" role="group" aria-label=${label}>${of.map((one) => html`
    <${Check} key=${one} name=${name} value=${one} label=${one} checked=${chosen?.includes(one) ?? false} />`)}</div>`;

export const Check = ({ label, name, checked, value = "on" }) => html`<label class="check">
  <input type="checkbox" name=${name} value=${value} defaultChecked=${checked} /> ${label}
</label>`;

// The members that were changed: what nobody touched must not overwrite what another
// administrator does meanwhile, nor what the form cannot show as it is.
export function changed(members, form, opened) {
  const before = members(opened);
  return Object.fromEntries(Object.entries(members(form)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]),
  ));
}

export const orNull = (value) => (value.length ? value : null);

// One a line, each as it is written: an id may have commas, and spaces at its ends.
export const lines = (text) => orNull(text.split(/\r?\n/).filter((line) => line.trim()));
export const instant = (text) => (text ? new Date(text).toISOString() : null);

// An instant as <input type="datetime-local"> has it.
export function localInput(at) {
  if (!at) return "";
  const when = new Date(at);
  return new Date(when - when.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
