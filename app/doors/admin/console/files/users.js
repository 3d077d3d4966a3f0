// A user: figures, mood, last changes; exported and purged.

import { html, useEffect, useState } from "./render.js";
import { call, callRaw, query } from "./api.js";
import { Confirm } from "./dialogs.js";
import { Field, Form } from "./forms.js";
import { Loaded, useLoaded } from "./loading.js";
import { Badge, Empty, Foreign, Heading, Refused, Time } from "./parts.js";
import { instants, Table } from "./table.js";

export function Users({ id }) {
  const [turn, setTurn] = useState(0);
  const find = async (form) => {
    const next = `#/user/${encodeURIComponent(form.get("user_id"))}`;
    if (next === location.hash) setTurn(turn + 1);
    location.hash = next;
  };
  return html`<${Heading}>User${id && html` <${Foreign}>${id}<//>`}<//>
    <div class="seek"><${Form} label="Show" onSubmit=${find}>
      <${Field} label="User id" name="user_id" required maxlength="255" defaultValue=${id} /><//></div>
    ${id ? html`<${Card} id=${id} key=${turn} />` : html`<${Empty}>Enter a user's id to see tasks, mood and last changes.<//>`}`;
}

function Card({ id }) {
  const path = `/admin/users${query({ user_id: id })}`;
  const card = useLoaded(() => call("GET", path), [id]);
  return html`<${Loaded} of=${card}>${({ tasks, mood, picture, changes }) => html`
    <${Acts} id=${id} path=${path} reload=${card.reload} />
    <h2>Tasks</h2><${Tasks} of=${tasks} />
    <h2>Mood</h2><${Mood} of=${mood} picture=${picture} />
    <h2>Last changes</h2><p class="muted">The last 20 at most. An export has all that are kept.</p>
    <${Table} caption="Last changes" columns=${COLUMNS} rows=${changes} empty="Nothing of this user has changed lately." />`}<//>`;
}

const Tasks = ({ of }) => html`<dl class="cards">${[
  ["Pending", of.pending_tasks], ["In progress", of.in_progress_tasks], ["Completed", of.completed_tasks],
  ["Overdue", of.overdue_tasks], ["Completion rate", `${of.completion_rate} %`],
].map(([name, value]) => html`<div class="card" key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

// As a picture of its own, in which no script could run.
function Picture({ svg, alt }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [svg]);
  return url && html`<img src=${url} alt=${alt} width="320" height="120" />`;
}

function Mood({ of: { mood, streak, week, today, next_due: next }, picture }) {
  return html`<div class="mood">
    <${Picture} svg=${picture} alt=${`Whiskers is ${mood.label}: ${mood.score} of 100`} />
    <table><caption>Why ${mood.score} of 100</caption>
      <thead class="hidden"><tr><th scope="col">Reason</th><th scope="col">Points</th></tr></thead>
      <tbody>${mood.reasons.map((one) => html`<tr key=${one.code}><td>${one.text}</td>
        <td class="number">${one.points > 0 ? "+" : ""}${one.points}</td></tr>`)}</tbody></table>
    <${Week} days=${week} />
  </div>
  <p class="muted">Streak ${streak.current}, longest ${streak.longest}, ${streak.freezes_left} freezes left.
    Today ${today.completed} completed, ${today.due} due, ${today.overdue} overdue. Next due: <${Time} at=${next} none="nothing" />.</p>`;
}

function Week({ days }) {
  const most = Math.max(1, ...days.map((day) => day.completed));
  const name = (day) => new Date(`${day.date}T12:00:00Z`).toLocaleDateString(undefined, { weekday: "short", timeZone: "UTC" });
  const words = days.map((day) => `${name(day)} ${day.completed}`).join(", ");
  return html`<figure><svg class="week" role="img" aria-label=${`Completed: ${words}`} viewBox="0 0 210 96" width="210" height="96">
    ${days.map((day, at) => {
      const high = (day.completed / most) * 60;
      return html`<g key=${day.date}><rect class="ok" x=${at * 30 + 4} y=${74 - high} width="22" height=${high} />
        <text x=${at * 30 + 15} y=${68 - high}>${day.completed}</text><text x=${at * 30 + 15} y="90">${name(day)}</text></g>`;
    })}<path class="axis" d="M0 74.5H210" /></svg><figcaption>Completed in the last seven days</figcaption></figure>`;
}

const COLUMNS = [
  { label: "Sequence", value: (one) => one.sequence },
  { label: "Change", value: (one) => one.type, show: (one) => html`<${Badge}>${one.type}<//>` },
  { label: "Task", value: (one) => one.task?.title ?? one.task_id, show: (one) => (one.task
    ? html`<${Foreign}>${one.task.title}<//>`
    : html`<span class="muted">gone</span> <code class="long">${one.task_id}</code>`) },
  { label: "Fields", value: (one) => one.fields.join(", ") },
  instants("When", (one) => one.occurred_at),
  { label: "By", value: (one) => one.by?.name },
];

function Acts({ id, path, reload }) {
  const [asked, setAsked] = useState(false);
  const [said, setSaid] = useState("");
  async function purge() {
    const { removed } = await call("DELETE", path);
    setAsked(false);
    const rows = Object.values(removed).reduce((sum, one) => sum + one, 0);
    setSaid(`Purged: ${rows} ${rows === 1 ? "row is" : "rows are"} gone for good.`);
    reload();
  }
  return html`
    <div class="buttons left"><${Export} id=${id} tell=${setSaid} />
      <button type="button" class="danger" onClick=${() => setAsked(true)}>Purge</button></div>
    <p role="status">${said}</p>
    ${asked && html`<${Confirm} title=${html`Purge the user <${Foreign}>${id}<//>?`} label="Purge" act=${purge} onClose=${() => setAsked(false)}>
      <p>Tasks, categories, changes, completions, secrets, the account and the contact of this id are removed for good. Nobody can bring them back.</p><//>`}`;
}

// Read as it comes, to show how far it is; the file is made in this tab.
async function collect(answer, tell) {
  const parts = [];
  let size = 0;
  const reader = answer.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    parts.push(value);
    size += value.length;
    tell(`Exporting… ${Math.ceil(size / 1024)} kB`);
  }
  return { file: new Blob(parts, { type: "application/json" }), size };
}

function Export({ id, tell }) {
  const [state, setState] = useState({});
  async function run() {
    if (state.busy) return;
    setState({ busy: true });
    tell("Exporting…");
    try {
      const { file, size } = await collect(await callRaw("GET", `/admin/users/export${query({ user_id: id })}`), tell);
      save(file, `user-${id.replace(/[^\w.-]+/g, "_")}.json`);
      tell(`Exported ${Math.ceil(size / 1024)} kB.`);
      setState({});
    } catch (error) {
      tell("");
      setState({ error });
    }
  }
  return html`<button type="button" aria-disabled=${state.busy ? "true" : null} onClick=${run}>Export</button><${Refused} error=${state.error} />`;
}

function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
