// What renders: preact and its hooks, which the page loads before its modules, and htm beside them.

import htm from "./htm-3.1.1.js";

const { h, render } = globalThis.preact;
const { useCallback, useEffect, useRef, useState } = globalThis.preactHooks;
const html = htm.bind(h);

export { html, render, useCallback, useEffect, useRef, useState };
