// The desks of a centre: when each was heard, what waits there, how its clock is; their pauses, and their end.

import { ask, send } from "./api.js";
import { deviceTrouble } from "./board.js";
import { h, name, notice, say, update } from "./dom.js";
import { stateLine } from "./state.js";
import { follow } from "./stream.js";
import { counted, plain, span, when } from "./words.js";

const { center, manage } = document.body.dataset;
const mayManage = manage === "yes";
const banner = document.getElementById("banner");
const list = document.getElementById("devices");
let board = null;
let versions = new Map();
let switchedOff = [];
let refused = "";

const DONE = {
  suspend: "The desk is paused.",
  resume: "The desk may go on. It comes back by itself within half a minute.",
  revoke: "The desk is switched off.",
};

follow(center, {
  onBoard(fresh) {
    const hadAll = board && fresh.devices.every((device) => versions.has(device.device_id));
    board = fresh;
    if (mayManage && !hadAll) askVersions();
    show();
  },
  onState(state, asOf) {
    const said = stateLine(state, asOf, board?.center.time_zone ?? "UTC");
    notice(banner, refused || said.banner);
    say(document.getElementById("as-of"), said.line);
  },
});

list.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  try {
    const { device, act } = event.target.dataset;
    await send(`/devices/${device}/${act}`);
    refused = "";
    say(document.getElementById("spoken"), DONE[act]);
    board = (await ask(`/centers/${center}/board`)).body;
    await askVersions();
  } catch (problem) {
    refused = problem.message;
    notice(banner, refused);
  } finally {
    button.disabled = false;
  }
});

async function askVersions() {
  try {
    const { body } = await ask(`/centers/${center}/devices`);
    versions = new Map(body.items.map((device) => [device.id, device.app_version]));
    switchedOff = body.items.filter((device) => device.state === "revoked");
    show();
  } catch {
    // The page says the rest; a version is worth no alarm.
  }
}

function show() {
  const cards = board.devices.map(card);
  const empty = h("p", { class: "muted" }, "No desk has been taken in yet.");
  const gone = switchedOff.map((device, at) => [at ? ", " : "", name(device.name)]);
  update(list, h("div", { id: "devices", class: "cards" }, cards.length ? cards : empty,
    gone.length ? h("p", { class: "muted", "data-key": "gone" }, "Switched off for good: ", gone, ".") : null));
}

const STATE = { suspended: "‖ Paused" };

function card(device) {
  const trouble = device.state === "active" ? deviceTrouble(device, board) : "";
  const isActive = device.state === "active";
  const state = trouble || !isActive ? "warn" : "good";
  const words = !isActive ? STATE[device.state] ?? `▲ ${plain(device.state)}` : trouble ? "▲ Look at it" : "✓ Up to date";
  return h("article", { "data-key": device.device_id, class: `card ${state}` },
    h("header", null, h("h2", null, name(device.name)), h("p", { class: "chip" }, words)),
    trouble ? h("p", null, name(device.name), " ", trouble, ".") : null,
    device.state === "suspended" ? h("p", null, "Whoever stands at it can go on: entries are kept there. They come once it may go on.") : null,
    h("dl", { class: "facts" },
      fact("Heard last", device.linked ? "now" : when(device.heard_until, board.as_of)),
      fact("Waiting there", device.waiting === null ? "not said" : counted(device.waiting, "entry", "entries")),
      fact("Its data", dataWords(device)),
      fact("Its clock", clockWords(device)),
      versions.get(device.device_id) ? fact("Version", versions.get(device.device_id)) : null),
    mayManage ? [device.state === "suspended" ? resume(device) : suspend(device), revoke(device)] : null);
}

function fact(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}

function dataWords(device) {
  if (!device.position_at) return "not known";
  const behind = device.behind ? `${counted(device.behind, "change", "changes")} behind` : "up to date";
  return `${behind} at ${when(device.position_at, board.as_of)}`;
}

function clockWords(device) {
  if (device.clock_suspect) return "cannot be trusted";
  if (device.clock_offset_ms === null) return "not measured today";
  if (Math.abs(device.clock_offset_ms) < 2000) return "right";
  return `${span(device.clock_offset_ms)} ${device.clock_offset_ms > 0 ? "slow" : "fast"}`;
}

function suspend(device) {
  return decision(device, "suspend", "Pause",
    "Within five seconds it gets nothing from this centre and sends nothing. It keeps what it knows and goes on recording; its entries come once you let it go on. For a desk that is lost or stolen, switch it off for good instead.",
    h("button", { type: "submit" }, "Pause ", name(device.name)));
}

function resume(device) {
  return decision(device, "resume", "Let it go on",
    "It comes back by itself within half a minute, and what it recorded meanwhile counts as if it had never been paused.",
    h("button", { type: "submit" }, "Let ", name(device.name), " go on"));
}

function revoke(device) {
  return decision(device, "revoke", "Switch off for good",
    "It gets nothing from this centre any more, within five seconds. What it still has to tell is kept for you to look at. This cannot be taken back; a desk that is found again is taken in anew.",
    h("button", { type: "submit", class: "bad" }, "Switch off ", name(device.name)));
}

/** What a manager may decide of a desk: nothing happens before it has been opened, read and pressed. */
function decision(device, act, title, says, button) {
  return h("details", { class: act === "revoke" ? "danger" : "decision", "data-key": act }, h("summary", null, title), h("p", null, says),
    h("form", { "data-device": device.device_id, "data-act": act }, button));
}
