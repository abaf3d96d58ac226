// How many there are in the whole centre, each number with its names behind it; on a wall the numbers alone.

import { h, name } from "./dom.js";
import { behind } from "./names.js";
import { childLink, count, person } from "./parts.js";
import { clock, when } from "./words.js";

const ON_A_WALL = 4;
const STATES = { in: "is in", left: "has left", not_come: "has not come" };

/** The numbers of a centre; of each that people stand behind a press on it tells who. */
export function totals(board, names) {
  const { children, staff, visitors } = board.totals;
  const found = [
    total("of=children", count(children, board.coverage), "children in", (one) => childIn(board, one)),
    total("of=staff", count(staff, board.coverage), "staff in", (one) => person(board, one, `${inRoom(one)}${one.counts_in_ratio ? "" : ", not counted"}`)),
    total("of=visitors", count(visitors, board.coverage), "visitors in", (one) => person(board, one)),
    total("of=expected", plainly(board.plan.expected), "booked today", (one) => booked(board, one)),
    total("of=announced", plainly(board.not_here.announced), "announced absent", (one) => absent(board, one)),
  ];
  // A wall has room for one line, and tells who is in before who is not.
  const shown = names ? found.map((one) => opening(names, one)) : found.slice(0, ON_A_WALL).map(({ number, label }) => h("p", null, number, label));
  return h("div", { "data-key": "totals", class: "totals", role: "group", "aria-label": "In the whole centre" },
    shown, names ? elsewhere(board) : null);
}

function total(key, number, label, line) {
  return { key, number, label: h("span", { class: "label" }, ` ${label}`), line };
}

function opening(names, { key, number, label, line }) {
  const all = (found) => found.items.length ? h("ul", { class: "names" }, found.items.map(line)) : h("p", { class: "muted" }, "Nobody.");
  return behind(names, key, [number, label], all);
}

/** Numbers whose names have a place of their own on the page: a press leads there. */
function elsewhere(board) {
  const { unconfirmed } = board.coverage;
  return [
    board.not_here.count ? h("a", { href: "#section-not-here", "data-opens": "of=not_here" }, plainly(board.not_here.count), label("not here, unexplained")) : null,
    unconfirmed ? h("a", { href: "#coverage", class: "unconfirmed" }, plainly(unconfirmed), label(unconfirmed === 1 ? "entry not yet confirmed" : "entries not yet confirmed")) : null,
  ];
}

const label = (text) => h("span", { class: "label" }, ` ${text}`);
const plainly = (number) => h("strong", null, String(number));
const inRoom = (one) => (one.room_name ? `, ${one.room_name}` : "");

function childIn(board, one) {
  return h("li", { "data-key": one.child_id }, childLink(board, one), " ",
    h("span", { class: "muted" }, name(one.room_name || "room not known"), `, since ${when(one.since, board.as_of)}`));
}

function booked(board, one) {
  const isLate = one.state === "not_come" && one.starts_at < board.as_of;
  return h("li", { "data-key": one.child_id }, childLink(board, one), " ",
    h("span", { class: "muted" }, name(one.room_name), ` ${clock(one.starts_at)}–${clock(one.ends_at)}${isLate ? "" : `, ${STATES[one.state]}`}`),
    isLate ? h("span", { class: "mark bad" }, "! has not come") : null);
}

function absent(board, one) {
  return h("li", { "data-key": one.child_id }, childLink(board, one), " ", h("span", { class: "muted" }, name(one.room_name)));
}
