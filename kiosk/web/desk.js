// Says calmly that the desk ended, and starts it again: three times a minute, then a person does.
"use strict";

const RESTART_MS = 5000;
const WINDOW_MS = 60000;
const RESTARTS_MAX = 3;
const KEY = "rollcall-ends";

function endsLately(now) {
  let ends = [];
  try {
    ends = JSON.parse(sessionStorage.getItem(KEY) || "[]");
  } catch {
    ends = [];
  }
  return ends.filter((at) => now - at < WINDOW_MS);
}

function ended() {
  const now = Date.now();
  const ends = [...endsLately(now), now];
  sessionStorage.setItem(KEY, JSON.stringify(ends));
  const words = document.getElementById("words");
  if (ends.length <= RESTARTS_MAX) {
    words.textContent = "The desk is closed here. Nothing that was recorded is lost.\nIt starts again in 5 seconds.";
    setTimeout(() => location.reload(), RESTART_MS);
    return;
  }
  words.textContent =
    "The desk is closed here. Nothing that was recorded is lost.\n" +
    "Is it open in another window? Otherwise write on paper, and phone whoever looks after this desk.";
  const again = document.getElementById("again");
  again.hidden = false;
  again.focus();
  again.addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    location.reload();
  });
}

let isOver = false;
new MutationObserver(() => {
  if (!isOver && document.body.classList.contains("-closed")) {
    isOver = true;
    ended();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
