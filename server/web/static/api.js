// The API as this page's user: the browser sends the cookie, and what changes something carries the page's token.

import { tellSignedOut } from "./signed_out.js";

const API = "/api/v1";
const ANSWER_WITHIN_MS = 15000;

/** What the server refused, in words for people; `status` 0: it did not answer. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Get a document; null when it is the one with this ETag. */
export async function ask(path, etag = "") {
  const answer = await fetched(path, { headers: etag ? { "if-none-match": etag } : {} });
  if (answer.status === 304) return null;
  return { body: await answer.json(), etag: answer.headers.get("etag") ?? "" };
}

/** Post a document and get the answer. */
export async function send(path, body) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const headers = { "content-type": "application/json", "x-csrf-token": token };
  const answer = await fetched(path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  return answer.json();
}

async function fetched(path, options) {
  let answer;
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    answer = await fetch(API + path, { ...options, signal, cache: "no-store", credentials: "same-origin" });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  if (answer.status === 401) tellSignedOut();
  if (!answer.ok && answer.status !== 304) throw new Refused(answer.status, await detailOf(answer));
  return answer;
}

async function detailOf(answer) {
  try {
    const problem = await answer.json();
    return problem.detail || problem.title || "The server refused this.";
  } catch {
    return "The server refused this.";
  }
}
