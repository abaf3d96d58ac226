// The day's curve: how many children were in, drawn from the numbers of the board.

import { h, svg } from "./dom.js";
import { clock } from "./words.js";

const WIDTH = 720;
const HEIGHT = 150;
const LEFT = 34;
const BOTTOM = 24;
const TOP = 12;
const EARLIEST_MIN = 6 * 60;
const LATEST_MIN = 19 * 60;

/** Draw a curve as a figure. */
export function curveFigure(curve, asOf) {
  const points = curve.children.map((children, at) => ({ minute: at * curve.step_min, children }));
  const most = Math.max(0, ...curve.children);
  if (!most) return h("p", { class: "muted" }, "No child has been in today.");
  const first = points.findIndex((point) => point.children > 0);
  const from = Math.min(EARLIEST_MIN, Math.floor(points[first].minute / 60) * 60);
  const to = Math.max(LATEST_MIN, Math.ceil(points.at(-1).minute / 60) * 60);
  const axes = scales(from, to, most);
  const peak = points.find((point) => point.children === most);
  const label = `Children in, each ${curve.step_min} minutes: ${most} at most, first at ${told(peak.minute)}; ${points.at(-1).children} at ${clock(asOf)}.`;
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "curve" },
    grid(axes, from, to, most), line(points.filter((point) => point.minute >= from), axes));
  return h("figure", null, drawn, h("figcaption", { class: "muted" }, label));
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

function grid({ x, y, top }, from, to) {
  const marks = [];
  for (const children of [0, top / 2, top]) {
    marks.push(svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(children), y2: y(children), class: "rule" }));
    marks.push(svg("text", { x: LEFT - 6, y: y(children) + 4, "text-anchor": "end" }, String(children)));
  }
  for (let minute = from; minute <= to; minute += 120) {
    marks.push(svg("text", { x: x(minute), y: HEIGHT - 6, "text-anchor": "middle" }, told(minute)));
  }
  return marks;
}

function line(points, { x, y }) {
  let path = "";
  points.forEach((point, at) => {
    path += at ? `H${x(point.minute).toFixed(1)}V${y(point.children).toFixed(1)}` : `M${x(point.minute).toFixed(1)} ${y(point.children).toFixed(1)}`;
  });
  const last = points.at(-1);
  const base = y(0).toFixed(1);
  const area = `${path}V${base}H${x(points[0].minute).toFixed(1)}Z`;
  return [
    svg("path", { d: area, class: "area" }),
    svg("path", { d: path, class: "line" }),
    svg("circle", { cx: x(last.minute), cy: y(last.children), r: 4, class: "now" }),
  ];
}

function told(minute) {
  return `${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}
