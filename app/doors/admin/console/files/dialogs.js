// What is asked, and what is shown once.

import { html, useEffect, useRef, useState } from "./render.js";
import { Form } from "./forms.js";

let titles = 0;

// Modal; whoever closes it is back where they were, or at the heading where that is gone. `mayLeave`
// is asked whether Escape closes it.
export function Dialog({ title, onClose, mayLeave = () => true, children }) {
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
  function leave() {
    if (mayLeave()) onClose();
    else if (!box.current.open) box.current.showModal();
  }
  const cancel = (event) => { event.preventDefault(); leave(); };
  // A browser closes one by itself where Escape is pressed again and again.
  const closed = () => { if (box.current) leave(); };
  return html`<dialog ref=${box} aria-labelledby=${id} onCancel=${cancel} onClose=${closed}>
    <h2 id=${id}>${title}</h2>${children}
  </dialog>`;
}

// Asks once, naming the thing.
export const Confirm = ({ title, label, act, onClose, children }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    <${Form} label=${label} danger onSubmit=${act} onCancel=${onClose}>${children}<//>
  <//>`;

// Shown this once: nobody can ask for it again, so that it is not left by a slip of the hand.
export function Secret({ title, value, onClose, children }) {
  const [said, setSaid] = useState("");
  const shown = useRef();
  const copied = useRef(false);
  function mayLeave() {
    if (!copied.current) setSaid("Not copied yet: copy it, or press Done");
    return copied.current;
  }
  async function copy() {
    copied.current = true;
    try {
      await navigator.clipboard.writeText(value);
      setSaid("Copied");
    } catch {
      getSelection().selectAllChildren(shown.current);
      setSaid("Selected: copy it with your keyboard");
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose} mayLeave=${mayLeave}>
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
