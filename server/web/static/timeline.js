// A child's day: stays, findings, and every event behind them with desk, adult and method.

import { ask } from "./api.js";
import { h, name, notice, update } from "./dom.js";
import { isSignedOut } from "./signed_out.js";
import { checkWords, clock, kindWords, methodWords, plain, when } from "./words.js";

const { center, manage } = document.body.dataset;
const place = document.getElementById("timeline");
const { child, day, photo } = place.dataset;
const AGAIN_MS = 15000;
const base = `/dashboard/centers/${center}`;
let etag = "";

async function load() {
  try {
    const answer = await ask(`/attendance?center_id=${center}&child_id=${child}${day ? `&day=${day}` : ""}`, etag);
    notice(document.getElementById("banner"), "");
    if (!answer) return;
    etag = answer.etag;
    show(answer.body);
  } catch (refused) {
    notice(document.getElementById("banner"), refused.message);
  }
}

function show(found) {
  const one = found.children[0];
  const fresh = h("div", { id: "timeline", "data-child": child, "data-day": day, "data-photo": photo },
    h("div", { class: "headline" }, h("h1", null, one ? portrait(one) : null, one ? fullName(one) : "Nothing on this day"),
      h("p", { class: "as-of" }, `${found.day}, as of ${when(found.as_of.time, found.day)}`)),
    days(found.day),
    one ? [stays(one), findings(one), events(one)] : h("p", { class: "muted" }, "The child was not enrolled then, and nothing was recorded."));
  update(place, fresh);
}

// The name stands beside it: for whoever cannot see it there is nothing to be told.
function portrait(one) {
  if (photo) {
    const src = `/api/v1/centers/${center}/children/${child}/photo?v=${photo}`;
    return h("img", { class: "portrait", src, alt: "", width: 72, height: 72 });
  }
  const letters = [one.given_name, one.family_name].map((text) => [...text][0] ?? "").join("");
  return h("span", { class: "portrait", "aria-hidden": "true" }, letters.toUpperCase());
}

function fullName(one) {
  const usual = one.preferred_name && one.preferred_name !== one.given_name ? ` (${one.preferred_name})` : "";
  return name(`${one.given_name} ${one.family_name}${usual}`);
}

function days(today) {
  const other = (days) => {
    const moved = new Date(`${today}T12:00:00Z`);
    moved.setUTCDate(moved.getUTCDate() + days);
    return `?day=${moved.toISOString().slice(0, 10)}`;
  };
  return h("nav", { class: "choices", "aria-label": "Days" },
    h("a", { href: other(-1) }, "← The day before"), h("a", { href: other(1) }, "The day after →"), h("a", { href: "?" }, "Today"));
}

function stays(one) {
  const line = (stay) => {
    const id = stay.check_in ?? stay.check_out;
    const evidence = manage === "yes" && id
      ? h("a", { href: `/api/v1/attendance/stays/${id}/evidence.html?center_id=${center}` }, "Evidence to print") : null;
    return h("tr", null,
      h("td", null, stay.started_at ? clock(stay.started_at) : "nobody saw the child come"),
      h("td", null, stay.ended_at ? clock(stay.ended_at) : "still in"),
      h("td", null, stay.device_names.join(", "), stay.disputed ? h("span", { class: "mark" }, "disputed") : null),
      h("td", null, evidence));
  };
  if (!one.stays.length) return h("p", null, "No stay on this day.");
  return h("section", null, h("h2", null, "Stays"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Stays" }, h("table", null,
    h("thead", null, h("tr", null, ["From", "To", "Desks", "Proof"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", null, one.stays.map(line)))));
}

function findings(one) {
  if (!one.findings.length) return null;
  return h("section", null, h("h2", null, "Findings"), h("ul", null, one.findings.map((finding) =>
    h("li", null, finding.critical ? h("span", { class: "mark bad" }, "! critical") : null, plain(finding.kind), " ", h("a", { href: `${base}/reviews` }, "settle")))));
}

function events(one) {
  const line = (event) => {
    const check = checkWords(event.identity_check);
    return h("li", { "data-key": event.event_id, class: event.outcome === "conflict" ? "warn" : "" },
      h("time", { datetime: event.occurred_at }, clock(event.occurred_at)),
      h("div", null,
        h("p", null, h("strong", null, kindWords(event.kind)), event.adult_name ? [" with ", name(event.adult_name)] : null,
          event.outcome === "conflict" ? h("span", { class: "mark" }, "contradicts others") : null),
        h("p", { class: "muted" }, name(event.device_name || "the server"), `, ${methodWords(event.auth_method)}${check ? `, ${check}` : ""}`,
          `; entered ${when(event.recorded_at, event.occurred_at)}, arrived ${when(event.received_at, event.occurred_at)}`)));
  };
  return h("section", null, h("h2", null, "What was recorded"),
    one.events.length ? h("ol", { class: "timeline" }, one.events.map(line)) : h("p", { class: "muted" }, "Nothing."));
}

load();
const loading = setInterval(() => (isSignedOut() ? clearInterval(loading) : load()), AGAIN_MS);
