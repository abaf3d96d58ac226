// All centres at a glance, the worst first.

import { ask } from "./api.js";
import { count } from "./board.js";
import { h, name, notice, say, update } from "./dom.js";
import { clock, counted, STATUS, STATUS_ORDER } from "./words.js";

const AGAIN_MS = 30000;
const AT_ONCE = 4;
const list = document.getElementById("centers");
const centers = [...list.querySelectorAll("[data-center]")].map((item) => ({ id: item.dataset.center, title: item.dataset.name, board: null, etag: "" }));

async function load() {
  const waiting = [...centers];
  const failures = [];
  const worker = async () => {
    for (let center = waiting.shift(); center; center = waiting.shift()) {
      try {
        const answer = await ask(`/centers/${center.id}/board`, center.etag);
        if (answer) Object.assign(center, { board: answer.body, etag: answer.etag });
      } catch (refused) {
        failures.push(refused.message);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  notice(document.getElementById("banner"), failures[0] ?? "");
  show();
}

function show() {
  const sorted = [...centers].sort((one, other) => weight(other) - weight(one) || one.title.localeCompare(other.title));
  update(list, h("ul", { id: "centers", class: "glance" }, sorted.map(line)));
  const times = centers.map((center) => center.board?.as_of).filter(Boolean).map(clock).sort();
  say(document.getElementById("as-of"), times.length ? `as of ${times[0]}` : "");
}

/** Danger to children first, then what is not known, then what can wait. */
function weight({ board }) {
  if (!board) return -1;
  return board.findings.critical * 1000 + STATUS_ORDER.indexOf(worst(board)) * 100 + board.after_hours.count * 10 + (board.coverage.complete ? 0 : 5) + Math.min(board.findings.normal, 4);
}

function worst(board) {
  const all = [board.ratio.status, ...board.rooms.map((room) => room.ratio.status)];
  return all.sort((one, other) => STATUS_ORDER.indexOf(other) - STATUS_ORDER.indexOf(one))[0];
}

function line({ id, title, board }) {
  const link = h("a", { href: `/dashboard/centers/${id}` }, name(title));
  if (!board) return h("li", { "data-key": id, class: "card" }, h("h2", null, link));
  const status = STATUS[worst(board)];
  const facts = [
    board.findings.critical ? h("strong", null, counted(board.findings.critical, "critical finding", "critical findings")) : null,
    board.after_hours.count ? `${board.after_hours.count} still here after closing` : null,
    board.coverage.complete ? null : board.coverage.says[0],
    board.findings.normal ? counted(board.findings.normal, "finding to settle", "findings to settle") : null,
  ].filter(Boolean);
  return h("li", { "data-key": id, class: `card room ${worst(board)}` },
    h("header", null, h("h2", null, link), h("p", { class: "chip" }, h("span", { "aria-hidden": "true" }, `${status.sign} `), status.text)),
    h("p", { class: "number" }, count(board.totals.children, board.coverage), h("span", { class: "of" }, " children, "), count(board.totals.staff, board.coverage), h("span", { class: "of" }, " staff")),
    facts.length ? h("ul", null, facts.map((fact) => h("li", null, fact))) : h("p", { class: "muted" }, "Nothing to look at."));
}

load();
setInterval(load, AGAIN_MS);
