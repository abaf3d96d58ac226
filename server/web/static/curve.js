// The day as a chart, drawn from the numbers of the board: who was in, who is expected, what is allowed, and when the
// ratio was not kept.

import { h, name, svg } from "./dom.js";
import { clock, counted, when } from "./words.js";

const WIDTH = 720;
const HEIGHT = 170;
const LEFT = 34;
const BOTTOM = 24;
const TOP = 12;
const EARLIEST_MIN = 6 * 60;
const LATEST_MIN = 19 * 60;
const HOUR_MIN = 60;

/**
 * Draw the day as a figure, with a key that needs no colour and the same numbers in words and as a table. `broken` is
 * when the ratio was not kept (breaches.js), null while nobody knows.
 */
export function curveFigure(board, broken) {
  const { curve, ratio, as_of: asOf, center: { time_zone: zone } } = board;
  const told = clockOf(curve, zone);
  const points = pointsOf(curve);
  const most = Math.max(0, ...curve.children);
  const booked = Math.max(0, ...curve.expected);
  if (!most && !booked) return h("p", { class: "muted" }, "No child has been in today, and none is booked.");
  const [from, to] = hours(points, curve);
  const allowed = ratio.children_allowed;
  const axes = scales(from, to, Math.max(most, booked, curve.capacity ?? 0, allowed ?? 0));
  const spans = spansOf(broken, curve, asOf);
  const said = words({ curve, points, allowed, asOf, broken, told });
  const shown = points.filter((point) => point.minute >= from && point.minute <= to);
  const here = shown.filter((point) => point.children !== undefined);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said.join(" "), class: "curve" },
    grid(axes, from, to, told),
    spans.map((one) => span(one, axes, from, to)),
    curve.capacity ? svg("path", { d: `M${axes.x(from)} ${axes.y(curve.capacity)}H${axes.x(to)}`, class: "limit" }) : null,
    present(here, axes),
    booked ? svg("path", { d: steps(shown, "expected", axes), class: "expected" }) : null,
    allowed === null || !here.length ? null : allowedMark(here.at(-1), allowed, axes));
  return h("figure", null, drawn, key({ curve, booked, allowed, spans }),
    h("figcaption", { class: "muted" }, said.map((one) => h("p", null, one)), brokenList(broken, asOf)), table(shown, told));
}

/** The clock of the centre so many minutes after the day began there; on two days of a year that is no plain sum. */
function clockOf(curve, timeZone) {
  const shown = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const began = Date.parse(curve.starts_at);
  return (minute) => shown.format(began + minute * 60_000);
}

/** When the ratio was not kept, in minutes of the day; what goes on ends now. */
function spansOf(broken, curve, asOf) {
  const minute = (text) => (Date.parse(text) - Date.parse(curve.starts_at)) / 60_000;
  return (broken?.items ?? []).map((one) => [minute(one.began_at), minute(one.ended_at ?? asOf)]);
}

function pointsOf(curve) {
  return curve.expected.map((expected, at) => ({ minute: at * curve.step_min, children: curve.children[at], expected }));
}

function hours(points, curve) {
  const busy = points.filter((point) => point.children || point.expected);
  const now = (curve.children.length - 1) * curve.step_min;
  const first = Math.floor(busy[0].minute / HOUR_MIN) * HOUR_MIN;
  const last = Math.ceil((Math.max(busy.at(-1).minute, now) + curve.step_min) / HOUR_MIN) * HOUR_MIN;
  return [Math.min(EARLIEST_MIN, first), Math.max(LATEST_MIN, Math.min(last, points.length * curve.step_min))];
}

/** What the chart says, in sentences; each tells what its number rests upon. */
function words({ curve, points, allowed, asOf, broken, told }) {
  const now = curve.children.length - 1;
  const most = Math.max(0, ...curve.children);
  const booked = Math.max(0, ...curve.expected);
  const peak = points.find((point) => point.children === most);
  const full = points.find((point) => point.expected === booked);
  return [
    `In, by what desks recorded: ${curve.children[now]} at ${clock(asOf)}${most ? `; ${most} at most, first at ${told(peak.minute)}` : ""}.`,
    booked
      ? `Expected, by bookings and schedules without those announced absent: ${curve.expected[now]} at ${clock(asOf)}; ${booked} at most, first at ${told(full.minute)}.`
      : "Nobody is booked today, so nothing says who is expected.",
    curve.capacity ? `The rooms hold ${curve.capacity}.` : null,
    allowed === null ? null : `The ratio rules allow ${allowed} in all rooms together with the adults who are in now; each room is judged on its card.`,
    broken && !broken.items.length ? `The ratio was kept all day, by what desks recorded until ${clock(broken.as_of)}.` : null,
  ].filter(Boolean);
}

function scales(from, to, most) {
  const top = ceiling(most);
  return {
    top,
    x: (minute) => LEFT + ((minute - from) / (to - from)) * (WIDTH - LEFT - 8),
    y: (children) => TOP + (1 - children / top) * (HEIGHT - TOP - BOTTOM),
  };
}

function ceiling(most) {
  const step = most <= 10 ? 2 : most <= 50 ? 10 : 50;
  return Math.ceil(most / step) * step;
}

/** A bar along the foot of the chart, wide enough to be seen. */
function span([begin, end], { x }, from, to) {
  const [left, right] = [begin, end].map((minute) => x(Math.min(Math.max(minute, from), to)));
  return svg("rect", { x: left.toFixed(1), y: HEIGHT - BOTTOM, width: Math.max(right - left, 2).toFixed(1), height: 6, class: "broken" });
}

/** Each time at which the ratio was not kept, with the worst of it. */
function brokenList(broken, asOf) {
  if (!broken?.items.length) return null;
  const line = (one) => h("li", { "data-key": `${one.scope} ${one.room_id} ${one.began_at}` },
    h("strong", null, `${when(one.began_at, asOf)} to ${one.ended_at ? when(one.ended_at, asOf) : "now"}`), " ",
    one.scope === "center" ? "whole centre" : name(one.room_name ?? "room not known"), `: ${atWorst(one.worst)}`);
  return [
    h("p", null, `The ratio was not kept at ${counted(broken.items.length, "time", "times")}${broken.more ? " and more" : ""}, by what desks recorded until ${clock(broken.as_of)}:`),
    h("ul", { class: "broken-times" }, broken.items.map(line)),
  ];
}

function atWorst({ children, counted_staff: staff, staff_needed: needed, cap_exceeded: tooMany, group_cap: most }) {
  const there = counted(children, "child", "children");
  if (staff >= needed && tooMany) return `${there} in a group of at most ${most}`;
  return `${there} with ${counted(staff, "adult", "adults")} of ${needed} needed`;
}

function grid({ x, y, top }, from, to, told) {
  const marks = [];
  for (const children of [0, top / 2, top]) {
    marks.push(svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(children), y2: y(children), class: "rule" }));
    marks.push(svg("text", { x: LEFT - 6, y: y(children) + 4, "text-anchor": "end" }, String(children)));
  }
  for (let minute = from; minute <= to; minute += 2 * HOUR_MIN) {
    marks.push(svg("text", { x: x(minute), y: HEIGHT - 6, "text-anchor": "middle" }, told(minute)));
  }
  return marks;
}

function steps(points, field, { x, y }) {
  return points.map((point, at) => {
    const [right, up] = [x(point.minute).toFixed(1), y(point[field]).toFixed(1)];
    return at ? `H${right}V${up}` : `M${right} ${up}`;
  }).join("");
}

function present(points, axes) {
  if (!points.length) return null;
  const path = steps(points, "children", axes);
  const last = points.at(-1);
  const area = `${path}V${axes.y(0).toFixed(1)}H${axes.x(points[0].minute).toFixed(1)}Z`;
  return [
    svg("path", { d: area, class: "area" }),
    svg("path", { d: path, class: "line" }),
    svg("circle", { cx: axes.x(last.minute), cy: axes.y(last.children), r: 4, class: "now" }),
  ];
}

/** A diamond above now: it holds for the adults of this moment and for no other. */
function allowedMark(last, allowed, { x, y }) {
  return svg("path", { d: diamond(x(last.minute), y(allowed)), class: "allowed" });
}

const diamond = (x, y) => `M${x - 6} ${y}L${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}Z`;

/** Each line beside its name as it is drawn: full, dashed, dotted, a diamond, a bar. */
function key({ curve, booked, allowed, spans }) {
  const sample = (style, d, text) => h("li", null,
    svg("svg", { class: "curve sample", viewBox: "0 0 36 14", "aria-hidden": "true" }, svg("path", { d, class: style })), text);
  return h("ul", { class: "key" },
    sample("line", "M2 7H34", "in (recorded)"),
    booked ? sample("expected", "M2 7H34", "expected (booked)") : null,
    curve.capacity ? sample("limit", "M2 7H34", "rooms hold") : null,
    allowed === null ? null : sample("allowed", diamond(18, 7), "allowed by the ratio now"),
    spans.length ? h("li", null, svg("svg", { class: "curve sample", viewBox: "0 0 36 14", "aria-hidden": "true" }, svg("rect", { x: 2, y: 5, width: 32, height: 6, class: "broken" })), "✖ ratio not kept") : null);
}

function table(points, told) {
  const rows = points.filter((point) => point.minute % HOUR_MIN === 0);
  return h("details", null, h("summary", null, "The same as a table"),
    h("table", { class: "numbers" },
      h("thead", null, h("tr", null, ["At", "In, recorded", "Expected, booked"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", null, rows.map((point) => h("tr", null, h("th", { scope: "row" }, told(point.minute)),
        h("td", null, point.children === undefined ? "–" : String(point.children)), h("td", null, String(point.expected)))))));
}
