// What is asked, and what is shown once.

import { html, useEffect, useRef, useState } from "./render.js";
import { Form } from "./forms.js";

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
  // A browser closes one by itself where Escape is pressed again and again.
  const closed = () => { if (box.current) onClose(); };
  return html`<dialog ref=${box} aria-labelledby=${id} onCancel=${cancel} onClose=${closed}>
    <h2 id=${id}>${title}</h2>${children}
  </dialog>`;
}

// Asks once, naming the thing.
export const Confirm = ({ title, label, act, onClose, children }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    <${Form} label=${label} danger onSubmit=${act} onCancel=${onClose}>${children}<//>
  <//>`;

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
