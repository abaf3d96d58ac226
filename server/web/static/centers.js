// All centres at a glance, the worst first.

import { ask } from "./api.js";
import { h, name, notice, say, update } from "./dom.js";
import { matters, standing, summary, verdict, worstFirst } from "./glance.js";
import { count } from "./parts.js";
import { isSignedOut } from "./signed_out.js";
import { clock } from "./words.js";

const AGAIN_MS = 30000;
const AT_ONCE = 4;
const list = document.getElementById("centers");
const centers = [...list.querySelectorAll("[data-center]")].map((item) => ({ id: item.dataset.center, title: item.dataset.name, board: null, etag: "", refused: "" }));

async function load() {
  const waiting = [...centers];
  const worker = async () => {
    for (let center = waiting.shift(); center && !isSignedOut(); center = waiting.shift()) await renew(center);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (isSignedOut()) return clearInterval(loading);
  notice(document.getElementById("banner"), centers.find((center) => center.refused)?.refused ?? "");
  show();
}

async function renew(center) {
  try {
    const answer = await ask(`/centers/${center.id}/board?names=none`, center.etag);
    if (answer) Object.assign(center, { board: answer.body, etag: answer.etag });
    center.refused = "";
  } catch (refused) {
    center.refused = refused.message;
    // Whoever may not look any more sees nothing old either.
    if (refused.status === 403 || refused.status === 404) Object.assign(center, { board: null, etag: "" });
  }
}

function show() {
  const known = centers.filter((center) => center.board);
  update(list, h("ul", { id: "centers", class: "glance" }, [...centers].sort(worstFirst).map(line)));
  say(document.getElementById("summary"), summary(centers.map((center) => center.board)));
  const times = known.map((center) => clock(center.board.as_of)).sort();
  say(document.getElementById("as-of"), times.length ? `as of ${times[0]}` : "");
}

function line({ id, title, board, refused }) {
  const link = h("a", { href: `/dashboard/centers/${id}` }, name(title));
  if (!board) {
    return h("li", { "data-key": id, class: "card warn" }, h("h2", null, link), h("p", null, `▲ Not known. ${refused}`));
  }
  const found = standing(board);
  const { level, sign, text } = verdict(found);
  const dangers = (found.critical ? 1 : 0) + (found.breaches ? 1 : 0);
  const said = matters(found).map((one, at) => h("li", null, at < dangers ? h("strong", null, one) : one));
  const silence = board.coverage.complete ? null : h("li", { class: "muted" }, board.coverage.says[0]);
  return h("li", { "data-key": id, class: `card room ${level}` },
    h("header", null, h("h2", null, link), h("p", { class: "chip" }, h("span", { "aria-hidden": "true" }, `${sign} `), text)),
    h("p", { class: "number" }, count(board.totals.children, board.coverage), h("span", { class: "of" }, " children, "), count(board.totals.staff, board.coverage), h("span", { class: "of" }, " staff")),
    said.length || silence ? h("ul", null, said, silence) : h("p", { class: "muted" }, "Nothing to look at."),
    refused ? h("p", { class: "mark" }, `as of ${clock(board.as_of)}, not heard since`) : null);
}

const loading = setInterval(load, AGAIN_MS);
load();
