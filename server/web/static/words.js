// Words and times as people at a centre read them. Times from the server carry the centre's own offset.

/** How a room stands: what it is called, and its sign, so that colour never says it alone. */
export const STATUS = {
  ok: { sign: "✓", text: "OK" },
  unknown: { sign: "○", text: "No ratio rules" },
  near: { sign: "▲", text: "Near the limit" },
  at_limit: { sign: "◆", text: "At the limit" },
  breach: { sign: "✖", text: "Over the limit" },
};
/** From calm to danger. */
export const STATUS_ORDER = ["ok", "unknown", "near", "at_limit", "breach"];

const KINDS = {
  check_in: "Came",
  check_out: "Left",
  room_move: "Changed rooms",
  void: "Taken back",
  correct: "Corrected",
  confirm: "Confirmed by a guardian",
  release_refused: "Release refused",
  label_reprinted: "Label sent to the printer, perhaps not the only one",
  auto_close: "End assumed when the centre closed",
  review_resolved: "Finding answered",
};
const METHODS = {
  staff_attested: "vouched for by staff",
  pin: "the adult's PIN",
  barcode: "barcode",
  signed_code: "family code",
  card: "card",
  signature: "signature",
  parent_app: "the parent's app",
  account: "signed in with an account",
  auto: "by rule",
};
const CHECKS = {
  known_to_staff: "known to staff",
  photo_match: "photo compared",
  photo_id: "photo ID seen",
  safe_word: "safe word",
  call_back: "called back",
  code_match: "code matched",
};
// As server/web/dashboard.py says them.
const GAPS = {
  never_heard: "has never been heard",
  entries_wait: "has entries that have not arrived",
  queue_unknown: "has not said whether entries wait",
  silent: "is silent and may have recorded something since",
};

export const kindWords = (kind) => KINDS[kind] ?? plain(kind);
export const methodWords = (method) => METHODS[method] ?? plain(method);
export const checkWords = (check) => (check === "none" ? "" : (CHECKS[check] ?? plain(check)));
export const gapWords = (gap) => GAPS[gap] ?? plain(gap);

/** A code that nobody foresaw, readable. */
export function plain(code) {
  const text = String(code ?? "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "08:14" of a time with an offset; "" of none. */
export function clock(text) {
  return text ? text.slice(11, 16) : "";
}

/** "2026-09-21" of a time with an offset. */
export function dayOf(text) {
  return text ? text.slice(0, 10) : "";
}

/** "08:14", or with its day when it is another day than that of `reference`. */
export function when(text, reference) {
  if (!text) return "not known";
  return dayOf(text) === dayOf(reference) ? clock(text) : `${dayOf(text)} ${clock(text)}`;
}

/** A moment as a centre's clocks show it, to the second. */
export function zoned(moment, timeZone) {
  const options = { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Intl.DateTimeFormat("en-GB", options).format(moment);
}

/** "1 child", "2 children". */
export function counted(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

/** A length of time in its largest sensible unit. */
export function span(milliseconds) {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
