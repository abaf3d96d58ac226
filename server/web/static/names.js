// The names behind a number of the board: asked for when somebody opens them, kept fresh while they are open.

import { ask } from "./api.js";
import { h } from "./dom.js";
import { isSignedOut } from "./signed_out.js";
import { clock } from "./words.js";

// A centre where much happens moves its board twenty times a second; nobody reads a list so often.
const AGAIN_AFTER_MS = 1000;

/** The lists that are open on this page; `onChange` is called when there is something new to show. */
export class Names {
  constructor(centerId, onChange) {
    this.path = `/centers/${centerId}/board/names?`;
    this.onChange = onChange;
    this.opened = new Map();
  }

  /** What is known of a list: null while it is closed; its `document` is null until it is there. */
  get(key) {
    return this.opened.get(key) ?? null;
  }

  open(key) {
    if (this.opened.has(key)) return;
    this.opened.set(key, { document: null, problem: "", isAsking: false, isStale: false });
    this.load(key);
  }

  /** What nobody looks at is not kept. */
  close(key) {
    this.opened.delete(key);
  }

  /** The board has moved: what is open is asked for again. */
  again() {
    for (const key of [...this.opened.keys()]) this.load(key);
  }

  async load(key) {
    const one = this.opened.get(key);
    if (one.isAsking) {
      one.isStale = true;
      return;
    }
    one.isAsking = true;
    one.isStale = false;
    try {
      one.document = (await ask(this.path + key)).body;
      one.problem = "";
    } catch (refused) {
      one.problem = refused.message;
    }
    if (isSignedOut() || this.opened.get(key) !== one) return;
    this.onChange();
    setTimeout(() => {
      one.isAsking = false;
      if (one.isStale && this.opened.get(key) === one) this.load(key);
    }, AGAIN_AFTER_MS);
  }
}

/** A number that leads to its names: `render` makes them of the document, once it is there. */
export function behind(names, key, summary, render) {
  const known = names.get(key);
  return h("details", { "data-key": key, "data-names": key }, h("summary", null, summary), known ? content(known, render) : null);
}

function content({ document: found, problem }, render) {
  const said = problem ? h("p", { class: "notice warn" }, `The names did not come: ${problem}`) : null;
  if (!found) return said ?? h("p", { class: "muted", "aria-busy": "true" }, "Asking for the names…");
  const hidden = found.count - found.items.length;
  return [said, render(found), hidden > 0 ? h("p", { class: "muted" }, `and ${hidden} more`) : null,
    h("p", { class: "muted" }, `Names as of ${clock(found.as_of)}`)];
}
