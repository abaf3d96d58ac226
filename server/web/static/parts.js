// What several parts of the board are made of.

import { h, name } from "./dom.js";
import { behind } from "./names.js";
import { when } from "./words.js";

/** A count: what is known, and beside it the range that it may be where desks hold entries or are silent. */
export function count(number, covered) {
  const known = h("strong", null, String(number.certain));
  const isCertain = covered.complete || (covered.bounded && number.least === number.most);
  if (isCertain) return [known];
  const range = number.least === number.most ? "" : `${number.least}–${number.most}`;
  const mark = covered.bounded ? "" : "?";
  return [known, h("span", { class: "range", "aria-hidden": "true" }, ` ${range}${mark}`),
    h("span", { class: "unseen" }, range ? ` known, ${range.replace("–", " to ")} possible` : " known, there may be others")];
}

/** A member of staff or a visitor in a list. */
export function person(board, one, more = "") {
  return h("li", { "data-key": one.id }, name(one.name || "not on file"), " ", h("span", { class: "muted" }, `since ${when(one.since, board.as_of)}${more}`));
}

/** Where the timeline of a child is. */
export function childLink(board, child) {
  const label = name(child.name || "not on file");
  if (child.on_file === false) return label;
  return h("a", { href: `/dashboard/centers/${board.center.id}/children/${child.child_id}` }, label);
}

/** A part of the board with its title. */
export function section(key, title, ...content) {
  const id = `section-${key}`;
  return h("section", { "data-key": key, class: `panel ${key}`, "aria-labelledby": id }, h("h2", { id }, title), content);
}

/** The first of a list, which the board has; where there are more, its number leads to all of them. */
export function listed(names, key, list, line) {
  const all = (found) => h("ul", { class: "names" }, found.items.map(line));
  return [h("ul", { class: "names" }, list.items.map(line)),
    list.count > list.items.length ? behind(names, key, `All ${list.count}`, all) : null];
}
