// The end of a session in the middle of a page: it says so, takes away what it showed, and asks for nothing more.

import { h } from "./dom.js";

let isOver = false;

/** Whether the session behind this page is at its end; then nothing is asked for any more. */
export function isSignedOut() {
  return isOver;
}

/** Say so once, with a way back to this page. OWASP ASVS 5.0, 14.3.1: what a session showed goes with it. */
export function tellSignedOut() {
  if (isOver) return;
  isOver = true;
  document.body.dataset.stream = "signed-out";
  const next = encodeURIComponent(location.pathname + location.search + location.hash);
  const link = h("a", { href: `/dashboard/sign-in?next=${next}` }, "Sign in again.");
  document.getElementById("main").replaceChildren(
    h("div", { class: "headline" }, h("h1", null, "Signed out")),
    h("p", { class: "notice warn", role: "alert" }, h("strong", null, "You have been signed out."), " ", link),
    h("p", { class: "muted" }, "What this page showed is taken away until then. The desks go on recording."));
  link.focus();
}
