// The review inbox: what contradicts itself, both sides' evidence, and the answers that may be given.

import { ask, send } from "./api.js";
import { h, name, notice, say, update } from "./dom.js";
import { loadSetAside } from "./set_aside.js";
import { follow } from "./stream.js";
import { checkWords, counted, kindWords, methodWords, span, when } from "./words.js";

const { center, manage } = document.body.dataset;
const mayAnswer = manage === "yes";
const list = document.getElementById("reviews");
const banner = document.getElementById("banner");
const { state } = list.dataset;
const said = new Map();
let cursors = [""];
let asked = 0;
let asOf = "";

// A board moves whenever the centre's log does: then the inbox may have changed too.
let version = "";
let aside = 0;
follow(center, {
  onBoard(board) {
    board.findings.items.forEach((finding) => said.set(finding.kind, finding.says));
    asOf = board.as_of;
    const now = `${board.epoch}:${board.version}`;
    if (now !== version) load();
    if (now !== version || aside !== board.findings.set_aside) loadSetAside(asOf);
    aside = board.findings.set_aside;
    version = now;
  },
  onState() {},
});

list.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = event.submitter;
  button.disabled = true;
  try {
    await send(`/reviews/answers?center_id=${center}`, answerOf(form, button));
    notice(banner, "");
    say(document.getElementById("spoken"), "Your answer is recorded.");
    await load();
    document.getElementById("main").focus({ preventScroll: true });
  } catch (problem) {
    notice(banner, problem.message);
    banner.scrollIntoView({ block: "nearest" });
  } finally {
    button.disabled = false;
  }
});

list.addEventListener("click", (event) => {
  if (event.target.dataset.more) {
    cursors.push(event.target.dataset.more);
    load();
  }
});

function answerOf(form, button) {
  const answer = { finding: form.dataset.finding, answer: button.value };
  const reason = form.elements.reason.value.trim();
  if (reason) answer.reason = reason;
  const needed = button.dataset.needs;
  if (needed !== "nothing") {
    const at = form.elements[`at-${button.value}`].value;
    if (!at) throw new Error("This answer needs a time: fill it in first.");
    answer[needed] = `${at.length === 16 ? `${at}:00` : at}${form.dataset.offset}`;
  }
  return answer;
}

async function load() {
  const mine = ++asked;
  try {
    const pages = [];
    let next = "";
    for (const cursor of cursors) {
      const path = `/reviews?center_id=${center}&state=${state}&limit=20&cursor=${encodeURIComponent(cursor)}`;
      const { body } = await ask(path);
      pages.push(...body.items);
      next = body.next_cursor;
    }
    if (mine === asked) show(pages, next);
  } catch (problem) {
    notice(banner, problem.message);
  }
}

function show(reviews, next) {
  const none = state === "open" ? "Nothing to settle: nothing contradicts anything." : "Nothing has been answered yet.";
  update(list, h("div", { id: "reviews", "data-state": state },
    reviews.length ? reviews.map(card) : h("p", { class: "muted" }, none),
    next ? h("p", null, h("button", { type: "button", "data-more": next, class: "quiet" }, "Show more")) : null));
  if (location.hash && !show.jumped) {
    show.jumped = true;
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  }
}

function card(review) {
  const isCritical = review.severity === "critical";
  const child = review.subject_kind === "child" && review.subject_id
    ? h("a", { href: `/dashboard/centers/${center}/children/${review.subject_id}?day=${dayFor(review)}` }, name(review.subject_name || "not on file"))
    : name(review.subject_name || "not on file");
  return h("article", { "data-key": review.finding, id: review.finding, class: `card ${isCritical ? "bad" : "warn"}`, tabindex: "-1" },
    h("header", null, h("h2", null, child), isCritical ? h("p", { class: "chip" }, "✖ Critical") : null),
    h("p", { class: "lead" }, said.get(review.kind) ?? kindWords(review.kind), review.minutes_stale ? `. The desk had been wrong for ${span(review.minutes_stale * 60000)}` : "", "."),
    h("ol", { class: "sides" }, review.evidence.map(witness)),
    review.state === "answered" ? answered(review) : null,
    review.possible_answers.length ? (mayAnswer ? answers(review) : h("p", { class: "muted" }, "A manager of the centre can answer this.")) : null);
}

function dayFor(review) {
  return review.evidence.length ? review.evidence[0].occurred_at.slice(0, 10) : "";
}

function witness(one) {
  const who = one.staff_name || one.author || "nobody named";
  const signer = one.adult_name ? [" with ", name(one.adult_name)] : null;
  const check = checkWords(one.identity_check);
  return h("li", { "data-key": one.event_id },
    h("p", null, h("strong", null, `${kindWords(one.kind)} at ${when(one.occurred_at, asOf)}`), signer),
    h("dl", { class: "facts" },
      fact("Recorded by", name(who)),
      fact("At", name(one.device_name || "the server")),
      fact("How", `${methodWords(one.auth_method)}${check ? `, ${check}` : ""}`),
      fact("Entered", when(one.recorded_at, one.occurred_at)),
      fact("Arrived", when(one.received_at, one.occurred_at)),
      one.clock_suspect ? fact("Clock", "cannot be trusted") : null,
      one.warnings.length ? fact("Was warned", one.warnings.join(", ").replaceAll("_", " ")) : null,
      one.reason ? fact("Reason", name(one.reason)) : null,
      one.note ? fact("Note", name(one.note)) : null));
}

function fact(label, value) {
  return h("div", null, h("dt", null, label), h("dd", null, value));
}

function answered(review) {
  return h("p", { class: "notice good" }, "Answered: ", review.answer.replaceAll("_", " "), review.answered_by_name ? [" by ", name(review.answered_by_name)] : null,
    review.answered_at ? ` at ${when(review.answered_at, asOf)}` : "", review.answer_reason ? [": ", name(review.answer_reason)] : null, ".");
}

function answers(review) {
  const last = review.evidence.at(-1)?.occurred_at ?? "";
  const reason = `reason-${review.finding}`;
  return h("form", { class: "answers", "data-finding": review.finding, "data-offset": last.slice(-6) || "Z" },
    h("h3", null, "What is right?"),
    h("ul", null, review.possible_answers.map((answer, at) => choice(answer, last, `${review.finding} ${at}`))),
    h("label", { for: reason }, "A word of explanation, if there is one"),
    h("input", { id: reason, name: "reason", maxlength: 200, autocomplete: "off", class: "wide" }));
}

function choice(answer, last, id) {
  const needsTime = answer.needs !== "nothing";
  const label = answer.needs === "left_at" ? "Left at" : "Happened at";
  return h("li", { "data-key": answer.answer },
    needsTime ? [h("label", { for: `at-${id}` }, label), h("input", { id: `at-${id}`, name: `at-${answer.answer}`, type: "datetime-local", value: last.slice(0, 16) })] : null,
    h("button", { type: "submit", name: "answer", value: answer.answer, "data-needs": answer.needs }, answer.says),
    h("span", { class: "muted" }, answer.consequence));
}
