// Makes a report with its progress shown, and keeps the file when it is whole. Without this file the form works too.

import { say, notice } from "./dom.js";
import { tellSignedOut } from "./signed_out.js";

const form = document.getElementById("report");
const banner = document.getElementById("banner");
const making = document.getElementById("making");
const bar = document.getElementById("progress");
const stop = document.getElementById("stop");
const spoken = document.getElementById("spoken");
const DAY_MS = 86400000;
// The longest line of a report is some 2 kB; what tells how far it has come stands at the end of what has come.
const TAIL_CHARACTERS = 4096;
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) make(new FormData(form));
});
stop.addEventListener("click", () => running?.abort());

async function make(chosen) {
  running = new AbortController();
  begin();
  try {
    const { pathname } = new URL(form.action);
    const name = chosen.get("name");
    const query = new URLSearchParams({ format: chosen.get("format") });
    if (name !== "emergency") {
      query.set("from", chosen.get("from"));
      query.set("to", chosen.get("to"));
    }
    const base = pathname.replace("/dashboard/", "/api/v1/").replace(/\/file$/, "");
    const answer = await fetch(`${base}/${name}?${query}`, { signal: running.signal });
    if (!answer.ok) throw new Error(await refusal(answer));
    const parts = await whole(answer, progressOf(chosen));
    keep(new Blob(parts, { type: answer.headers.get("content-type") }), fileName(answer));
    say(spoken, "The report is ready: your browser keeps the file.");
  } catch (problem) {
    const isStopped = problem.name === "AbortError";
    notice(banner, isStopped ? "" : problem instanceof TypeError ? "The report broke off before its end, and nothing was kept. Try again." : problem.message);
    say(spoken, isStopped ? "Stopped. Nothing was kept." : "");
  } finally {
    running = null;
    making.hidden = stop.hidden = true;
  }
}

function begin() {
  notice(banner, "");
  say(spoken, "The report is made.");
  bar.removeAttribute("value");
  making.hidden = stop.hidden = false;
}

async function refusal(answer) {
  if (answer.status === 401) tellSignedOut();
  try {
    return (await answer.json()).detail;
  } catch {
    return "The server did not make the report. Try again.";
  }
}

/** All of the answer, piece by piece. */
async function whole(answer, progress) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: false });
  const parts = [];
  let tail = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts;
    parts.push(value);
    tail = (tail + decoder.decode(value, { stream: true })).slice(-TAIL_CHARACTERS);
    show(progress(tail), parts);
  }
}

function show(share, parts) {
  const kilobytes = Math.round(parts.reduce((sum, part) => sum + part.length, 0) / 1024);
  if (share !== null) bar.value = Math.min(99, share * 100);
  say(document.getElementById("progress-says"), share === null ? `${kilobytes} kB so far` : `${Math.floor(Math.min(99, share * 100))} % of the days, ${kilobytes} kB so far`);
}

/** How far a report has come: a PDF says "part n of m", and each line of a CSV begins with its day. */
function progressOf(chosen) {
  const first = Date.parse(chosen.get("from"));
  const days = (Date.parse(chosen.get("to")) - first) / DAY_MS + 1;
  if (chosen.get("format") === "pdf") {
    return (text) => {
      const found = [...text.matchAll(/% part (\d+) of (\d+)\n/g)].pop();
      return found ? found[1] / found[2] : null;
    };
  }
  return (text) => {
    const found = [...text.matchAll(/\r\n"(\d{4}-\d\d-\d\d)/g)].pop();
    return found ? ((Date.parse(found[1]) - first) / DAY_MS + 1) / days : null;
  };
}

function keep(file, name) {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

function fileName(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "report";
}
