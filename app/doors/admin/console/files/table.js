// A list that sorts, filters and pages.

import { html, useState } from "./htm-preact-3.1.1.js";
import { Empty } from "./parts.js";

const PAGE = 25;
const text = (value) => (value === null || value === undefined ? "" : String(value)).toLowerCase();

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return text(one).localeCompare(text(other), undefined, { numeric: true });
}

function arranged(rows, columns, order, sought) {
  const words = text(sought).split(/\s+/).filter(Boolean);
  const valued = columns.filter((column) => column.value);
  const matches = (row) => {
    const all = valued.map((column) => text(column.value(row))).join(" ");
    return words.every((word) => all.includes(word));
  };
  const found = words.length ? rows.filter(matches) : [...rows];
  if (order) {
    const { value } = columns[order.column];
    found.sort((one, other) => order.sign * compare(value(one), value(other)));
  }
  return found;
}

const plain = (value) => (value === null || value === undefined || value === "" ? "–" : value);

// `value` is what a column sorts and filters by, `show` how it looks; a `tight` one is not
// broken within words. `more` loads what is older.
export function Table({ caption, columns, rows, empty, more }) {
  const [order, setOrder] = useState(null);
  const [sought, setSought] = useState("");
  const [wanted, setPage] = useState(0);
  if (!rows.length) return html`<${Empty}>${empty}<//>`;
  const found = arranged(rows, columns, order, sought);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const page = Math.min(wanted, pages - 1);
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  const sort = (column) => setOrder((old) => (
    old?.column === column ? { column, sign: -old.sign } : { column, sign: 1 }
  ));
  const seek = (event) => { setSought(event.target.value); setPage(0); };
  return html`
    <div class="filter">
      <label>Filter <input type="search" value=${sought} onInput=${seek} /></label>
      <span class="muted" role="status">${found.length} of ${rows.length}</span>
    </div>
    <table role="table">
      <caption class="hidden">${caption}</caption>
      <thead role="rowgroup"><tr role="row">${columns.map((column, index) => html`
        <${Head} key=${column.label} column=${column}
          sign=${order?.column === index ? order.sign : 0} onSort=${() => sort(index)} />`)}
      </tr></thead>
      <tbody role="rowgroup">${shown.map((row, at) => html`<tr role="row" key=${row.id ?? at}>
        ${columns.map((column) => html`<td role="cell" data-label=${column.label} key=${column.label}>
          <div class=${column.tight ? "tight" : null}>${column.show ? column.show(row) : plain(column.value(row))}</div>
        </td>`)}
      </tr>`)}</tbody>
    </table>
    ${!shown.length && html`<${Empty}>Nothing matches. Shorten the filter.<//>`}
    <${Pager} page=${page} pages=${pages} turn=${setPage} more=${more} name=${caption} />`;
}

function Head({ column, sign, onSort }) {
  if (!column.value) return html`<th role="columnheader" scope="col">${column.label}</th>`;
  const sorted = sign ? (sign > 0 ? "ascending" : "descending") : "none";
  return html`<th role="columnheader" scope="col" aria-sort=${sorted}>
    <button type="button" class="sort" onClick=${onSort}>
      ${column.label}<span aria-hidden="true">${{ "-1": " ↓", 0: "", 1: " ↑" }[sign]}</span>
    </button>
  </th>`;
}

function Pager({ page, pages, turn, more, name }) {
  if (pages === 1 && !more) return null;
  return html`<nav class="pager" aria-label=${`Pages of ${name}`}>
    <button type="button" disabled=${page === 0} onClick=${() => turn(page - 1)}>Previous</button>
    <span role="status">Page ${page + 1} of ${pages}</span>
    <button type="button" disabled=${page >= pages - 1} onClick=${() => turn(page + 1)}>Next</button>
    ${more && html`<button type="button" onClick=${more}>Load older</button>`}
  </nav>`;
}
