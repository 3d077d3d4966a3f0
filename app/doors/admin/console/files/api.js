// What /admin says. The key is in this tab's memory and sessionStorage, and goes out in one header.

const STORED = "task-manager-admin-key";
// Until an answer begins; a long one may take longer.
const MOST_SECONDS = 30;
// What a header can carry.
const SENDABLE = /^[\x20-\x7e\xa0-\xff]*$/;
let key = sessionStorage.getItem(STORED);
let onSignedOut = () => {};

export const isSignedIn = () => key !== null;
export const whenSignedOut = (tell) => { onSignedOut = tell; };

export function signOut(reason) {
  key = null;
  sessionStorage.removeItem(STORED);
  onSignedOut(reason);
}

// The status of the service, if the key is one.
export async function signIn(given) {
  if (!SENDABLE.test(given)) throw new Refusal(401, "An admin key has no such characters");
  const status = await ask("GET", "/admin/status", undefined, given);
  key = given;
  sessionStorage.setItem(STORED, given);
  return status.json();
}

class Refusal extends Error {
  constructor(status, sentence, requestId) {
    super(sentence);
    this.status = status;
    this.requestId = requestId;
  }
}

export async function call(method, path, body) {
  const answer = await callRaw(method, path, body);
  return answer.status === 204 ? null : answer.json();
}

export async function callRaw(method, path, body) {
  try {
    return await ask(method, path, body, key);
  } catch (error) {
    if (error.status === 401) signOut(error);
    throw error;
  }
}

// A query string; members without a value are left out.
export function query(members) {
  const known = Object.entries(members).filter(([, value]) => value !== null && value !== undefined);
  return known.length ? `?${new URLSearchParams(known)}` : "";
}

async function ask(method, path, body, withKey) {
  const headers = { "X-Admin-Key": withKey };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), MOST_SECONDS * 1000);
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store", signal: limit.signal,
    });
  } catch {
    throw new Refusal(0, limit.signal.aborted ? `The service did not answer in ${MOST_SECONDS} seconds` : "The service does not answer");
  } finally {
    clearTimeout(timer);
  }
  if (answer.ok) return answer;
  throw new Refusal(answer.status, await sentence(answer), answer.headers.get("X-Request-ID"));
}

async function sentence(answer) {
  const told = await answer.json().catch(() => ({}));
  const wait = answer.headers.get("Retry-After");
  const cause = said(told.detail, answer.status);
  if (!wait) return cause;
  return `${cause.replace(/\.$/, "")}. Wait ${wait} ${wait === "1" ? "second" : "seconds"}.`;
}

function said(detail, status) {
  if (Array.isArray(detail)) {
    return detail.map(({ loc, msg }) => `${loc.slice(1).join(".") || "request"}: ${msg}`).join("; ");
  }
  return detail || `The service answered ${status}`;
}
