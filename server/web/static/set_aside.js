// Entries of desks that were kept aside: what each tells, why it counts for nothing, and what a manager decides.

import { ask, send } from "./api.js";
import { h, name, notice, say, update } from "./dom.js";
import { kindWords, when } from "./words.js";

const { center, manage } = document.body.dataset;
const place = document.getElementById("set-aside");
const { state } = place.dataset;
const banner = document.getElementById("banner");
// As many children as a centre may have.
const PAGES_MAX = 20;
let children = [];
let asked = 0;
let reference = "";

place.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  event.submitter.disabled = true;
  try {
    await send(`/set-aside/answers?center_id=${center}`, decisionOf(form, event.submitter.value));
    notice(banner, "");
    say(document.getElementById("spoken"), "Your decision is recorded.");
    await loadSetAside(reference);
    document.getElementById("main").focus({ preventScroll: true });
  } catch (problem) {
    notice(banner, problem.message);
    banner.scrollIntoView({ block: "nearest" });
  } finally {
    event.submitter.disabled = false;
  }
});

/** Show what was kept aside; times are told beside `asOf`. */
export async function loadSetAside(asOf) {
  const mine = ++asked;
  reference = asOf;
  try {
    const { body } = await ask(`/set-aside?center_id=${center}&state=${state}&limit=50`);
    if (manage === "yes" && state === "open" && body.items.length && !children.length) children = await onFile();
    if (mine === asked) show(body);
  } catch (problem) {
    notice(banner, problem.message);
  }
}

async function onFile() {
  const found = [];
  let cursor = "";
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { body } = await ask(`/centers/${center}/children?limit=100&cursor=${encodeURIComponent(cursor)}`);
    found.push(...body.items);
    cursor = body.next_cursor;
    if (!cursor) break;
  }
  return found;
}

function decisionOf(form, verdict) {
  const decision = { entry: form.dataset.entry, verdict };
  const reason = form.elements.reason.value.trim();
  if (reason) decision.reason = reason;
  if (verdict === "dismissed") return decision;
  const child = form.elements.child?.value;
  const called = form.elements.called?.value.trim();
  if (child) decision.child_id = child;
  else if (called) decision.name = called;
  return decision;
}

function show(found) {
  const fresh = h("div", { id: "set-aside", "data-state": state });
  if (found.items.length) {
    fresh.append(h("h2", null, state === "open" ? "Kept aside: these count for nothing yet" : "Was kept aside"),
      ...found.items.map(card));
    if (found.next_cursor) fresh.append(h("p", { class: "muted" }, "There are more: decide these first."));
  }
  update(place, fresh);
}

function card(kept) {
  const who = kept.child_name || kept.provisional_name || "a child who is not on file";
  const told = kept.occurred_at ? `${kindWords(kept.kind)} at ${when(kept.occurred_at, reference)}` : `An entry (${kept.kind.replaceAll("_", " ")})`;
  return h("article", { "data-key": kept.entry, class: "card warn" },
    h("h3", null, told, kept.occurred_at ? [", ", name(who)] : null),
    h("p", null, kept.says, ". It came from ", name(kept.device_name), ` at ${when(kept.received_at, reference)}.`,
      kept.adult_name ? [" With ", name(kept.adult_name), "."] : null),
    kept.verdict ? answered(kept) : manage === "yes" ? choices(kept) : h("p", { class: "muted" }, "A manager of the centre decides this."));
}

function answered(kept) {
  return h("p", { class: "notice good" }, kept.verdict === "taken_in" ? "Taken in" : "Dismissed",
    kept.answered_by_name ? [" by ", name(kept.answered_by_name)] : null, kept.answered_at ? ` at ${when(kept.answered_at, reference)}` : "",
    kept.answer_reason ? [": ", name(kept.answer_reason)] : null, ".");
}

function choices(kept) {
  const id = kept.entry.slice(0, 16);
  const needsChild = kept.can_be_taken_in && !kept.child_name;
  return h("form", { class: "answers", "data-entry": kept.entry }, h("div", { class: "stack" },
    needsChild ? [
      h("label", { for: `child-${id}` }, "Which child is it?"),
      h("select", { id: `child-${id}`, name: "child" }, h("option", { value: "" }, "none who is on file"),
        children.map((one) => h("option", { value: one.id }, `${one.given_name} ${one.family_name}`))),
      h("label", { for: `called-${id}` }, "or how is the child called?"),
      h("input", { id: `called-${id}`, name: "called", maxlength: 200, autocomplete: "off", value: kept.provisional_name })] : null,
    h("label", { for: `reason-${id}` }, "A word of explanation, if there is one"),
    h("input", { id: `reason-${id}`, name: "reason", maxlength: 160, autocomplete: "off", class: "wide" })),
    h("div", { class: "line" },
      kept.can_be_taken_in ? h("button", { type: "submit", value: "taken_in" }, "It was so: take it in") : null,
      h("button", { type: "submit", value: "dismissed", class: "quiet" }, "Nothing follows from it")));
}
