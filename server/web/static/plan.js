// What bookings and schedules say, beside who is there: who has not come, who is late to be collected, what is to come.

import { h, name } from "./dom.js";
import { behind } from "./names.js";
import { childLink, listed, section } from "./parts.js";
import { clock, counted, plain, when } from "./words.js";

const RESULTS = { reached: "reached", no_answer: "no answer", message_left: "message left", other: "other" };

/** How many children of a room are booked; nothing where nobody books. */
export function bookedLine(board, room) {
  const planned = board.plan.rooms.find((one) => one.room_id === room.room_id);
  if (!planned?.today) return null;
  return h("p", { class: "booked muted" }, `Booked: ${planned.now} for now, ${planned.today} today`);
}

/** Who is enrolled and has not come, with the calls that were made. */
export function notHere(board, names) {
  const { count, announced } = board.not_here;
  const all = (found) => h("ul", { class: "names" }, found.items.map((child) => missed(board, child)));
  const said = announced ? h("p", { class: "muted" }, `${counted(announced, "child is", "children are")} announced to be absent.`) : null;
  return section("not-here", `Not here today: ${count}`,
    count
      ? behind(names, "of=not_here", "Not come, and nobody has said why", all)
      : h("p", { class: "muted" }, "Everybody who is enrolled has come, or is announced."),
    said);
}

function missed(board, child) {
  const isLate = child.expected_at && child.expected_at < board.as_of;
  return h("li", { "data-key": child.child_id }, childLink(board, child), " ", h("span", { class: "muted" }, name(child.room_name)),
    child.expected_at ? h("span", { class: isLate ? "mark bad" : "mark" }, `${isLate ? "! " : ""}booked from ${when(child.expected_at, board.as_of)}`) : null,
    child.call ? h("p", { class: "call" }, callWords(child.call)) : null,
    callForm(child));
}

function callWords(call) {
  const times = call.calls > 1 ? `, ${call.calls} calls today` : "";
  return ["Called at ", clock(call.at), " by ", name(call.by || "somebody"), `: ${RESULTS[call.result] ?? plain(call.result)}`,
    call.note ? [" – ", name(call.note)] : null, times];
}

function callForm(child) {
  const id = `call-${child.child_id}`;
  const options = Object.entries(RESULTS).map(([value, words]) => h("option", { value }, words));
  return h("details", { class: "called" }, h("summary", null, "Called", h("span", { class: "unseen" }, ` about ${child.name}`)),
    h("form", { class: "line", "data-child": child.child_id },
      h("label", { for: `${id}-result` }, "What came of it"), h("select", { id: `${id}-result`, name: "result" }, options),
      h("label", { for: `${id}-note` }, "Note"), h("input", { id: `${id}-note`, name: "note", maxlength: 500, autocomplete: "off" }),
      h("button", { type: "submit" }, "Note the call")));
}

/** Who is in after the end of what was booked. */
export function overdue(board, names) {
  if (!board.overdue.count) return null;
  const line = (child) => h("li", { "data-key": child.child_id }, childLink(board, child), " ",
    h("span", { class: "muted" }, name(child.room_name), `, booked until ${when(child.due_at, board.as_of)}`));
  return section("overdue", `Still here after the booked end: ${board.overdue.count}`, listed(names, "of=overdue", board.overdue, line));
}

/** Who is to come and to go in the next two hours, quarter by quarter. */
export function forecast(board) {
  const { arrivals, departures, starts_at: begin, step_min: step } = board.plan;
  const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
  if (!total(arrivals) && !total(departures)) return null;
  const row = (_, at) => h("tr", null, h("th", { scope: "row" }, later(begin, at * step)), h("td", null, String(arrivals[at])), h("td", null, String(departures[at])));
  return section("forecast", "The next two hours, by bookings",
    h("table", { class: "numbers" },
      h("thead", null, h("tr", null, ["From", "To come", "To go"].map((words) => h("th", { scope: "col" }, words)))),
      h("tbody", null, arrivals.map(row))),
    h("p", { class: "muted" }, "The first line has those who are late, too."));
}

/** "08:15" so many minutes after a time with an offset. */
function later(text, minutes) {
  const whole = (Number(text.slice(11, 13)) * 60 + Number(text.slice(14, 16)) + minutes) % 1440;
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}
