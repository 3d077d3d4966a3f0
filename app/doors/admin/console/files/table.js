// A list that sorts, filters and pages.

import { html, useState } from "./render.js";
import { Empty, Foreign, local, Time, utc } from "./parts.js";

const PAGE = 25;
const ORDER = new Intl.Collator(undefined, { numeric: true });
const isMissing = (value) => value === null || value === undefined || value === "";

// A column of instants, found by what is shown of them.
export const instants = (label, at, none) => ({
  label,
  value: at,
  words: (row) => (at(row) ? `${local(at(row))} ${utc(at(row))}` : none ?? "never"),
  show: (row) => html`<${Time} at=${at(row)} none=${none} />`,
});

// What is missing comes last, either way.
function compare(one, other, sign) {
  if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other);
  return sign * (typeof one === "number" ? one - other : ORDER.compare(one, other));
}

function arranged(rows, columns, order, sought) {
  const wanted = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const words = columns.map((column) => column.words ?? column.value).filter(Boolean);
  const matches = (row) => {
    const all = words.map((of) => of(row) ?? "").join(" ").toLowerCase().replace(/\s/g, " ");
    return wanted.every((word) => all.includes(word));
  };
  const found = wanted.length ? rows.filter(matches) : [...rows];
  if (order) {
    const { value } = columns[order.column];
    found.sort((one, other) => compare(value(one), value(other), order.sign));
  }
  return found;
}

// `value` is what a column sorts by, `words` what it is found by where that differs, `show` how it
// looks; a `tight` one is not broken within words. `more` loads what is older.
export function Table({ caption, columns, rows, empty, more, loading }) {
  const [order, setOrder] = useState(null);
  const [sought, setSought] = useState("");
  const [wanted, setPage] = useState(0);
  if (!rows.length) return html`<${Empty}>${empty}<//>`;
  const found = arranged(rows, columns, order, sought);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const page = Math.min(wanted, pages - 1);
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  const sort = (column) => setOrder((old) => ({ column, sign: old?.column === column ? -old.sign : 1 }));
  const seek = (event) => { setSought(event.target.value); setPage(0); };
  return html`
    <div class="filter">
      <label>Filter <input type="search" value=${sought} onInput=${seek} /></label>
      <span class="muted" role="status">${found.length} of ${rows.length}${more && ", older ones not loaded"}</span>
    </div>
    <table role="table">
      <caption class="hidden">${caption}</caption>
      <thead role="rowgroup"><tr role="row">${columns.map((column, index) => html`
        <${Head} key=${column.label} column=${column}
          sign=${order?.column === index ? order.sign : 0} onSort=${() => sort(index)} />`)}
      </tr></thead>
      <tbody role="rowgroup">${shown.map((row, at) => html`<tr role="row" key=${row.id ?? at}>
        ${columns.map((column) => html`<td role="cell" data-label=${column.label} key=${column.label}>
          <div class=${column.tight ? "tight" : null}><${Cell} column=${column} row=${row} /></div>
        </td>`)}
      </tr>`)}</tbody>
    </table>
    ${!shown.length && html`<${Empty}>Nothing matches. Shorten the filter.<//>`}
    <${Pager} page=${page} pages=${pages} turn=${setPage} more=${more} loading=${loading} name=${caption} />`;
}

function Cell({ column: { value, show }, row }) {
  if (show) return show(row);
  return isMissing(value(row)) ? "–" : html`<${Foreign}>${value(row)}<//>`;
}

function Head({ column, sign, onSort }) {
  if (!column.value) return html`<th role="columnheader" scope="col">${column.label}</th>`;
  const sorted = sign ? (sign > 0 ? "ascending" : "descending") : "none";
  return html`<th role="columnheader" scope="col" aria-sort=${sorted}>
    <button type="button" class="sort" onClick=${onSort}>
      ${column.label}<span aria-hidden="true">${{ ascending: " ↑", descending: " ↓", none: " ↕" }[sorted]}</span>
    </button>
  </th>`;
}

// A button that is disabled would lose the focus.
const Step = ({ possible, onClick, children }) => html`
  <button type="button" aria-disabled=${possible ? null : "true"} onClick=${possible ? onClick : null}>${children}</button>`;

function Pager({ page, pages, turn, more, loading, name }) {
  if (pages === 1 && !more) return null;
  return html`<nav class="pager" aria-label=${`Pages of ${name}`}>
    <${Step} possible=${page > 0} onClick=${() => turn(page - 1)}>Previous<//>
    <span role="status">Page ${page + 1} of ${pages}</span>
    <${Step} possible=${page < pages - 1} onClick=${() => turn(page + 1)}>Next<//>
    ${more && html`<${Step} possible=${!loading} onClick=${more}>${loading ? "Loading…" : "Load older"}<//>`}
  </nav>`;
}
