// The live page: the board of one centre as it changes.

import { ask, send } from "./api.js";
import { boardPage, spokenCounts } from "./board.js";
import { Breaches } from "./breaches.js";
import { notice, say, update } from "./dom.js";
import { Names } from "./names.js";
import { follow } from "./stream.js";
import { stateLine } from "./state.js";
import { dayOf } from "./words.js";

const isWall = document.body.classList.contains("wall");
const spoken = document.getElementById("spoken");
const { center } = document.body.dataset;
const page = document.getElementById("board");
let zone = "UTC";
let day = "";
let last = null;
const names = new Names(center, () => show(last));
const breaches = new Breaches(center, () => show(last));

// A click on a number, or Enter on it; a "toggle" does not bubble.
page.addEventListener("toggle", ({ target }) => {
  const { names: key } = target.dataset;
  if (!key) return;
  if (target.open) names.open(key);
  else names.close(key);
  show(last);
}, true);

// A number whose names stand in a list further down leads there and opens it; without this the link still jumps.
page.addEventListener("click", (event) => {
  const list = event.target.closest("a[data-opens]")?.dataset.opens;
  const details = list && page.querySelector(`details[data-names="${list}"]`);
  if (!details) return;
  event.preventDefault();
  details.open = true;
  details.querySelector("summary").focus();
});

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { submitter, target } = event;
  submitter.disabled = true;
  try {
    const said = new FormData(target);
    const call = { follow_up_id: crypto.randomUUID(), day, result: said.get("result"), note: said.get("note").trim() };
    await send(`/centers/${center}/children/${target.dataset.child}/follow-ups`, call);
    target.reset();
    target.closest("details").open = false;
    show((await ask(`/centers/${center}/board`)).body);
    names.again();
    say(spoken, "The call is noted.");
  } catch (problem) {
    notice(document.getElementById("banner"), problem.message);
  } finally {
    submitter.disabled = false;
  }
});

function show(board) {
  last = board;
  zone = board.center.time_zone;
  day = dayOf(board.as_of);
  update(document.getElementById("board"), boardPage(board, { isWall, names, broken: breaches.of(day) }));
}

follow(center, {
  // A wall is sent no name at all, so that none is in its memory, its cache or on the wire.
  names: isWall ? "none" : "first",
  onBoard(board) {
    show(board);
    names.again();
    if (!isWall) breaches.look(board);
    say(spoken, spokenCounts(board));
  },
  onState(state, asOf) {
    const { banner, line } = stateLine(state, asOf, zone);
    document.body.dataset.stream = state;
    notice(document.getElementById("banner"), banner);
    say(document.getElementById("as-of"), line);
  },
});
