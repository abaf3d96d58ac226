// How a centre stands against the others. Pure: the same boards give the same order and the same words.

import { counted, STATUS, STATUS_ORDER } from "./words.js";

/** What a board comes to, counted; null while nobody knows the board. */
export function standing(board) {
  if (!board) return null;
  const judged = [...board.rooms, ...(board.without_room ? [board.without_room] : [])].map((room) => room.ratio.status);
  const of = (status) => judged.filter((one) => one === status).length;
  return {
    critical: board.findings.critical,
    // A building may lack an adult where each of its rooms by itself does not.
    breaches: of("breach") || (board.ratio.status === "breach" ? 1 : 0),
    silent: board.devices.filter((device) => device.state === "active" && device.gap && !device.linked).length,
    atLimit: of("at_limit"),
    afterHours: board.after_hours.count,
    near: of("near"),
    toSettle: board.findings.normal,
    children: board.totals.children.certain,
    staff: board.totals.staff.certain,
    worst: STATUS_ORDER.findLast((status) => status === board.ratio.status || judged.includes(status)),
  };
}

// Danger to children first, then what is not known, then what can wait, then how many are in.
const ORDER = ["critical", "breaches", "silent", "atLimit", "afterHours", "near", "toSettle", "children"];
// A centre of which nothing is known is graver than any number of silent desks, and less than a danger that is known.
const UNKNOWN = { silent: Infinity };

/** Sort `{ title, board }`, the worst first; equals by name. */
export function worstFirst(one, other) {
  const [mine, theirs] = [standing(one.board) ?? UNKNOWN, standing(other.board) ?? UNKNOWN];
  for (const key of ORDER) {
    const [left, right] = [mine[key] ?? 0, theirs[key] ?? 0];
    if (left !== right) return left > right ? -1 : 1;
  }
  return one.title.localeCompare(other.title);
}

/** The chip of a centre: its class, sign and text. */
export function verdict(found) {
  if (found.critical) return { level: "breach", sign: "✖", text: "To settle now" };
  if (!found.breaches && found.silent) return { level: "near", sign: "▲", text: "Not all is known" };
  return { level: found.worst, ...STATUS[found.worst] };
}

/** What is the matter there, in words, the gravest first. */
export function matters(found) {
  const said = [
    [found.critical, "critical finding", "critical findings"],
    [found.breaches, "room over the limit", "rooms over the limit"],
    [found.silent, "silent desk", "silent desks"],
    [found.atLimit, "room at the limit", "rooms at the limit"],
    [found.afterHours, "child still here after closing", "children still here after closing"],
    [found.near, "room near the limit", "rooms near the limit"],
    [found.toSettle, "finding to settle", "findings to settle"],
  ].filter(([number]) => number);
  return said.map(([number, one, many]) => counted(number, one, many));
}

/** One sentence over all centres. */
export function summary(boards) {
  const known = boards.map(standing).filter(Boolean);
  const total = (key) => known.reduce((sum, one) => sum + one[key], 0);
  const urgent = known.filter((one) => one.critical || one.breaches || one.silent).length;
  const most = matters({ critical: total("critical"), breaches: total("breaches"), silent: total("silent") });
  const here = `${counted(total("children"), "child", "children")} and ${total("staff")} staff are in.`;
  const unknown = boards.length - known.length;
  return [
    urgent ? `${urgent} of ${counted(boards.length, "centre", "centres")} ${urgent === 1 ? "needs" : "need"} a look: ${most.join(", ")}.` : "No centre needs a look.",
    unknown ? `Of ${unknown} nothing is known.` : "",
    here,
  ].filter(Boolean).join(" ");
}
