// Bars of the last fourteen days, stacked: answered, refused, failed.

import { html } from "./render.js";

const DAY = 86400000;
const KINDS = ["ok", "refused", "failed"];
const DAYS = 14;
const STEP = 16;

// A sum for each of the last days, in UTC as the service counts them.
export function lastDays(usage) {
  const today = Date.now();
  const days = Array.from({ length: DAYS }, (_, index) => ({
    day: new Date(today - (DAYS - 1 - index) * DAY).toISOString().slice(0, 10), ok: 0, refused: 0, failed: 0,
  }));
  const byDay = new Map(days.map((one) => [one.day, one]));
  for (const used of usage) {
    const one = byDay.get(used.day);
    if (one) for (const kind of KINDS) one[kind] += used[kind];
  }
  return days;
}

export const total = (days, kind) => days.reduce((sum, one) => sum + one[kind], 0);
const height = (one) => KINDS.reduce((sum, kind) => sum + one[kind], 0);
const words = (one) => `${one.ok} ok, ${one.refused} refused, ${one.failed} failed`;

export function summary(days) {
  const sums = Object.fromEntries(KINDS.map((kind) => [kind, total(days, kind)]));
  return `Last ${days.length} days: ${words(sums)}`;
}

export function Bars({ days, tall = 24 }) {
  const most = Math.max(1, ...days.map(height));
  return html`<svg class="bars" role="img" aria-label=${summary(days)}
      viewBox=${`0 0 ${days.length * STEP} ${tall + 1}`} width=${days.length * (tall > 30 ? 32 : 7)}
      height=${tall > 30 ? tall * 2 : tall} preserveAspectRatio="none">
    ${days.map((one, index) => html`<${Bar} key=${one.day} one=${one} x=${index * STEP} scale=${tall / most} tall=${tall} />`)}
    <path class="axis" d=${`M0 ${tall + 0.5}H${days.length * STEP}`} />
  </svg>`;
}

function Bar({ one, x, scale, tall }) {
  let y = tall;
  return html`<g><title>${`${one.day} (UTC): ${words(one)}`}</title>
    <rect class="space" x=${x} y="0" width=${STEP} height=${tall} />
    ${KINDS.filter((kind) => one[kind]).map((kind) => {
      const high = Math.max(1, one[kind] * scale);
      y -= high;
      return html`<rect key=${kind} class=${kind} x=${x + 2} y=${y} width=${STEP - 4} height=${high} />`;
    })}
  </g>`;
}

export const Legend = () => html`<ul class="legend" aria-label="Colours">
  ${[["ok", "answered"], ["refused", "refused (4xx)"], ["failed", "failed (5xx)"]].map(([kind, name]) => html`
    <li key=${kind}><span class=${`swatch ${kind}`} aria-hidden="true"></span>${name}</li>`)}
</ul>`;
