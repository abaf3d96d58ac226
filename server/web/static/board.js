// A board as a page, in order of urgency. Pure: the same board with the same names gives the same elements.

import { curveFigure } from "./curve.js";
import { h, name, svg } from "./dom.js";
import { behind } from "./names.js";
import { childLink, count, listed, person, section } from "./parts.js";
import { bookedLine, forecast, notHere, overdue } from "./plan.js";
import { totals } from "./totals.js";
import { clock, counted, gapWords, span, STATUS, when } from "./words.js";

const CRITICAL_SHOWN = 5;

/**
 * Make the live page of a board, with the `names` that are open and when the ratio was `broken`; a wall (`isWall`) shows
 * no name of a child or an adult.
 */
export function boardPage(board, { isWall, names, broken }) {
  const parts = isWall
    ? [critical(board, isWall), coverage(board), totals(board, null), rooms(board, null)]
    : [
        critical(board, isWall),
        coverage(board),
        totals(board, names),
        rooms(board, names),
        h("div", { class: "columns", "data-key": "columns" },
          notHere(board, names), overdue(board, names), afterHours(board, names), forecast(board), findings(board), devices(board), allergies(board, names), leftToday(board, names)),
        curve(board, broken),
      ];
  return h("div", { id: "board", class: "board" }, parts);
}

/** What a screen reader hears when counts change. */
export function spokenCounts(board) {
  const { children, staff } = board.totals;
  const judged = board.rooms.filter((room) => ["breach", "at_limit"].includes(room.ratio.status));
  const alarms = judged.map((room) => `${room.name}: ${STATUS[room.ratio.status].text}`);
  const said = [`${countWords(children)} children and ${countWords(staff)} staff in`, ...alarms];
  if (board.findings.critical) said.push(`${board.findings.critical} critical to settle`);
  return `${said.join(". ")}.`;
}

function countWords(number) {
  return number.least === number.most ? `${number.certain}` : `${number.certain} (${number.least} to ${number.most})`;
}

function critical(board, isWall) {
  const listed = board.findings.items.filter((finding) => finding.severity === "critical");
  if (!board.findings.critical) return null;
  const inbox = `/dashboard/centers/${board.center.id}/reviews`;
  const lines = listed.slice(0, CRITICAL_SHOWN).map((finding) =>
    h("li", { "data-key": finding.finding }, isWall ? null : [h("strong", null, name(finding.subject_name || "not on file")), ": "],
      finding.says, finding.found_at ? `, found at ${when(finding.found_at, board.as_of)}` : "",
      isWall ? null : [" ", h("a", { href: `${inbox}#${encodeURIComponent(finding.finding)}` }, "settle")]));
  const title = `✖ ${counted(board.findings.critical, "critical finding", "critical findings")} to settle`;
  return section("critical", title, isWall ? null : h("ul", null, lines));
}

function coverage(board) {
  const { complete, says, unconfirmed } = board.coverage;
  if (complete) return null;
  const waiting = unconfirmed ? ` ${counted(unconfirmed, "entry is", "entries are")} recorded and not yet confirmed.` : "";
  const title = board.coverage.bounded ? "Some counts are ranges." : "Some counts may lack somebody.";
  return h("div", { "data-key": "coverage", id: "coverage", tabindex: "-1", class: "notice warn" }, h("p", null, h("strong", null, title), waiting),
    h("ul", null, says.map((text) => h("li", { "data-key": text }, text))));
}

function rooms(board, names) {
  const all = board.without_room ? [...board.rooms, board.without_room] : board.rooms;
  if (!all.length) return h("p", { "data-key": "no-rooms", class: "panel muted" }, "This centre has no rooms yet: they come with its roster.");
  return h("section", { "data-key": "rooms", class: "rooms", "aria-label": "Rooms" }, all.map((room) => roomCard(board, room, names)));
}

function roomCard(board, room, names) {
  const status = STATUS[room.ratio.status] ?? STATUS.unknown;
  const capacity = room.capacity ? [h("span", { class: "of" }, " / "), h("span", { class: "capacity" }, String(room.capacity))] : null;
  return h("article", { "data-key": room.room_id ?? "none", class: `room ${room.ratio.status}` },
    h("header", null, h("h2", null, name(room.name || "Room not known")),
      h("p", { class: "chip" }, h("span", { "aria-hidden": "true" }, `${status.sign} `), status.text)),
    h("p", { class: "number" }, count(room.children_count, board.coverage), capacity,
      h("span", { class: "unseen" }, room.capacity ? " children of the room's capacity" : " children")),
    bar(room),
    bookedLine(board, room),
    h("p", { class: "ratio" }, room.ratio.says, room.over_capacity ? ". More than the room may hold" : ""),
    names ? roomNames(board, room, names) : null);
}

/** Present, what may have come beside that (hatched), and the capacity as the end of the bar. */
function bar(room) {
  const { certain, most } = room.children_count;
  const full = Math.max(room.capacity, most, 1);
  const wide = (number) => ((number / full) * 100).toFixed(2);
  return svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", width: 100, height: 10 }),
    most > certain ? svg("rect", { class: "unconfirmed", width: wide(most), height: 10 }) : null,
    svg("rect", { class: "fill", width: wide(certain), height: 10 }),
    room.capacity && room.capacity < full ? svg("rect", { class: "tick", x: wide(room.capacity), width: 0.8, height: 10 }) : null);
}

function roomNames(board, room, names) {
  const child = (one) => h("li", { "data-key": one.child_id }, childLink(board, one), " ", h("span", { class: "muted" }, `since ${when(one.since, board.as_of)}`),
    one.critical ? h("span", { class: "mark bad" }, "! alert") : null,
    one.disputed ? h("span", { class: "mark" }, "disputed") : null,
    one.room_assumed ? h("span", { class: "mark" }, "room assumed") : null);
  const all = ({ items, staff }) => [
    items.length ? h("ul", { class: "names" }, items.map(child)) : h("p", { class: "muted" }, "No child."),
    staff.length ? [h("h3", null, "Staff"), h("ul", { class: "names" }, staff.map((one) => person(board, one, one.counts_in_ratio ? "" : ", not counted")))] : null];
  const key = `of=room${room.room_id ? `&room_id=${room.room_id}` : ""}`;
  return behind(names, key, `${counted(room.children_count.certain, "child", "children")}, ${room.staff_count} staff: names`, all);
}

function afterHours(board, names) {
  if (!board.after_hours.count) return null;
  const line = (child) => h("li", { "data-key": child.child_id }, childLink(board, child), " ", h("span", { class: "muted" }, name(child.room_name), `, in since ${when(child.since, board.as_of)}`));
  return section("after-hours", `Still here after closing: ${board.after_hours.count}`, listed(names, "of=after_hours", board.after_hours, line));
}

function findings(board) {
  const { normal, critical: urgent, set_aside: aside } = board.findings;
  const inbox = `/dashboard/centers/${board.center.id}/reviews`;
  const link = h("a", { href: inbox }, "Look at both sides and answer");
  return section("findings", `Findings to settle: ${normal + urgent}`,
    aside ? h("p", { class: "notice warn" }, h("a", { href: `${inbox}#set-aside` }, `${counted(aside, "entry was", "entries were")} kept aside`),
      ": somebody may be in the building who is on no list.") : null,
    normal + urgent ? h("p", null, link) : h("p", { class: "muted" }, "Nothing contradicts anything."));
}

function devices(board) {
  const active = board.devices.filter((device) => device.state === "active");
  const paused = board.devices.filter((device) => device.state === "suspended");
  const troubled = active.filter((device) => device.gap || device.clock_suspect);
  const line = (device) => h("li", { "data-key": device.device_id }, h("strong", null, name(device.name)), " ", deviceTrouble(device, board));
  return section("devices", `Devices: ${active.length - troubled.length} of ${active.length} up to date`,
    paused.length ? h("p", null, "Paused: ", paused.map((device, at) => [at ? ", " : "", h("strong", null, name(device.name))])) : null,
    troubled.length ? h("ul", null, troubled.map(line)) : h("p", { class: "muted" }, active.length ? "Every desk has told all that it recorded." : "No desk has been taken in yet."),
    h("p", null, h("a", { href: `/dashboard/centers/${board.center.id}/devices` }, "All devices")));
}

/** What is the matter with a desk, in words. */
export function deviceTrouble(device, board) {
  const said = [];
  if (device.gap) said.push(device.gap === "entries_wait" ? `has ${counted(device.waiting, "entry", "entries")} to send` : gapWords(device.gap));
  if (device.gap && device.heard_until) said.push(`heard last at ${when(device.heard_until, board.as_of)}`);
  if (device.clock_suspect) said.push("its clock cannot be trusted");
  else if (Math.abs(device.clock_offset_ms ?? 0) >= 60000) said.push(`its clock is ${span(device.clock_offset_ms)} off`);
  return said.join(", ");
}

function allergies(board, names) {
  const line = (one, at) => h("li", { "data-key": `${one.child_id} ${at}` }, one.severity === "critical" ? h("span", { class: "mark bad" }, "! critical") : null,
    h("strong", null, one.text), ": ", childLink(board, one), " ", h("span", { class: "muted" }, name(one.room_name)));
  return section("allergies", `Allergies present: ${board.allergies.count}`,
    board.allergies.count ? listed(names, "of=allergies", board.allergies, line) : h("p", { class: "muted" }, "None of the children who are in has one on file."));
}

function leftToday(board, names) {
  const line = (child) => h("li", { "data-key": child.stay_id }, childLink(board, child), " ",
    h("span", { class: "muted" }, `at ${clock(child.left_at)}`, child.collected_by ? [" with ", name(child.collected_by)] : null),
    child.assumed ? h("span", { class: "mark" }, "assumed") : null, child.disputed ? h("span", { class: "mark" }, "disputed") : null);
  const all = (found) => h("ul", { class: "names" }, found.items.map(line));
  return section("left", `Left today: ${board.left.count}`,
    board.left.count ? behind(names, "of=left", "Who, when and with whom", all) : h("p", { class: "muted" }, "Nobody yet."));
}

function curve(board, broken) {
  return section("curve", "Children today", curveFigure(board, broken));
}
