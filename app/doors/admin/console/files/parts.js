// What every section is made of.

import { html, useEffect, useRef } from "./render.js";

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// In the administrator's zone.
export const local = (at) => LOCAL.format(new Date(at));
export const utc = (at) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;

// The UTC instant is shown on hover.
export const Time = ({ at, none = "never" }) => (at
  ? html`<time datetime=${new Date(at).toISOString()} title=${utc(at)}>${local(at)}</time>`
  : html`<span class="muted">${none}</span>`);

// Controls, marks and overrides of direction, and what has no width: with them one user's id looks
// like another's. The two joiners stay, without which some languages cannot be written.
const UNSEEN = /[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
export const visible = (text) => text.replace(UNSEEN, (one) => (
  `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`
));

// Text of somebody else, which has a direction of its own and hides nothing.
export const Foreign = ({ children }) => html`<bdi>${visible(String(children))}</bdi>`;

export const Badge = ({ kind = "", children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

export const Refused = ({ error }) => error && html`<p class="refused" role="alert">
  ${error.message}${error.requestId && html` <small>Request ${error.requestId}</small>`}
</p>`;

export const Busy = () => html`<p class="muted busy" role="status">Loading…</p>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// Its focus tells a screen reader where one has come to, and is kept when a row is gone.
export function Heading({ children, focused = true }) {
  const heading = useRef();
  useEffect(() => { if (focused) heading.current.focus(); }, []);
  return html`<h1 tabindex="-1" ref=${heading}>${children}</h1>`;
}

// The names and values of a thing.
export const Facts = ({ of }) => html`<dl class="facts">
  ${of.map(([name, value]) => html`<div key=${name}><dt>${name}</dt>
    <dd>${typeof value === "string" ? html`<${Foreign}>${value}<//>` : value}</dd></div>`)}
</dl>`;

// Ids, of which each may have commas; the words where any will do.
export const Listed = ({ of, none }) => (of
  ? html`<ul class="inline">${of.map((one) => html`<li key=${one}><${Foreign}>${one}<//></li>`)}</ul>`
  : none);
