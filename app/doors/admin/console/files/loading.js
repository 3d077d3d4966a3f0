// What is asked of /admin, while it comes and when it does not.

import { html, useCallback, useEffect, useRef, useState } from "./render.js";
import { call, query } from "./api.js";
import { Busy, Refused } from "./parts.js";

// What `load` returns, the error it threw, and how to ask again. What is asked for last counts.
export function useLoaded(load, inputs = []) {
  const [state, setState] = useState({ loading: true });
  const turn = useRef(0);
  const ask = useCallback(async (what) => {
    const mine = ++turn.current;
    const settle = (next) => mine === turn.current && setState(next);
    setState((old) => ({ ...old, loading: true }));
    try {
      const data = await what();
      settle({ data, loading: false });
    } catch (error) {
      settle((old) => ({ ...old, error, loading: false }));
    }
  }, []);
  const reload = useCallback(() => ask(load), inputs);
  useEffect(() => { reload(); return () => { turn.current++; }; }, [reload]);
  return { ...state, reload, ask };
}

// What is loaded page by page, newest first; `more` loads the next one, if there is one. `wanted`
// are the members of the query that say what of it.
export function usePages(path, member, wanted = {}) {
  const page = (cursor) => call("GET", path + query({ ...wanted, cursor }));
  const pages = useLoaded(async () => [await page()], [path, ...Object.values(wanted)]);
  const cursor = pages.data?.at(-1).next_cursor;
  const more = () => pages.ask(async () => [...pages.data, await page(cursor)]);
  return { ...pages, data: pages.data?.flatMap((page) => page[member]), more: cursor ? more : null };
}

// A loaded thing: progress, then what was refused and a way to try again, or the thing.
export const Loaded = ({ of, children }) => html`
  ${of.error && html`<${Refused} error=${of.error} />
    <p><button type="button" onClick=${of.reload}>Try again</button></p>`}
  ${of.data !== undefined ? children(of.data) : of.loading && html`<${Busy} />`}`;
