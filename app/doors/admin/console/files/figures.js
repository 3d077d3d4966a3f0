// Figures of /metrics, which has them in Prometheus' text format.

const LINE = /^(\w+)\{([^}]*)\} (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function samples(text) {
  return text.split("\n").map((line) => line.match(LINE)).filter(Boolean).map(([, name, labels, value]) => ({
    name, value: Number(value), ...Object.fromEntries([...labels.matchAll(LABEL)].map(([, label, of]) => [label, of])),
  }));
}

// The seconds after which 99 of 100 answers were made, within the bucket by a straight line; where
// that is the last one, which has no end, it is `over` those of the one before.
function p99(buckets) {
  const sorted = [...buckets].map(([le, value]) => ({ le, value })).sort((one, other) => one.le - other.le);
  const wanted = (sorted.at(-1)?.value ?? 0) * 0.99;
  if (!wanted) return { seconds: null };
  const at = sorted.findIndex((bucket) => bucket.value >= wanted);
  const { le, value } = sorted[at];
  const below = sorted[at - 1] ?? { le: 0, value: 0 };
  if (le === Infinity) return { seconds: below.le, over: true };
  return { seconds: below.le + (le - below.le) * ((wanted - below.value) / (value - below.value)) };
}

export function byAction(text) {
  const actions = new Map();
  const of = (name) => actions.get(name)
    ?? actions.set(name, { id: name, requests: 0, refused: 0, failed: 0, buckets: new Map() }).get(name);
  for (const sample of samples(text)) {
    if (sample.name === "task_manager_requests_total") {
      const action = of(sample.action);
      action.requests += sample.value;
      if (sample.status >= "500") action.failed += sample.value;
      else if (sample.status >= "400") action.refused += sample.value;
    } else if (sample.name === "task_manager_request_seconds_bucket") {
      const le = sample.le === "+Inf" ? Infinity : Number(sample.le);
      of(sample.action).buckets.set(le, sample.value);
    }
  }
  return [...actions.values()].map((action) => ({ ...action, p99: p99(action.buckets) }));
}

export function sums(actions) {
  const sum = (member) => actions.reduce((so, one) => so + one[member], 0);
  const buckets = new Map();
  for (const [le, value] of actions.flatMap((one) => [...one.buckets])) buckets.set(le, (buckets.get(le) ?? 0) + value);
  return { requests: sum("requests"), refused: sum("refused"), failed: sum("failed"), p99: p99(buckets) };
}
