// What several parts of the board are made of.

import { h, name } from "./dom.js";

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

/** A list as the board cuts it; `list.count` is whole. */
export function listed(board, list, line) {
  const hidden = list.count - list.items.length;
  return [h("ul", { class: "names" }, list.items.map(line)), hidden > 0 ? h("p", { class: "muted" }, `and ${hidden} more`) : null];
}
