// Elements made from data, and a page brought up to date without rebuilding it: focus, scroll and opened lists stay.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; children are elements, texts, arrays of them, or null. Text is never read as HTML. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A name as people wrote it: its direction does not turn what stands around it. */
export function name(text) {
  return h("bdi", null, text);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make `old` say what `fresh` says, with as few changes as possible; whoever has the focus keeps it. */
export function update(old, fresh) {
  const focused = document.activeElement;
  morph(old, fresh);
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name: key } of [...old.attributes]) {
    // Who opened a list wants it open.
    if (!fresh.hasAttribute(key) && !(key === "open" && old.nodeName === "DETAILS")) old.removeAttribute(key);
  }
  for (const { name: key, value } of fresh.attributes) {
    if (old.getAttribute(key) !== value) old.setAttribute(key, value);
  }
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  const loose = [];
  for (const child of old.childNodes) {
    const key = keyOf(child);
    if (key === null) loose.push(child);
    else keyed.set(key, child);
  }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = take(wanted, keyed, loose);
    if (found) morph(found, wanted);
    const child = found ?? wanted;
    if (child === place) place = place.nextSibling;
    else old.insertBefore(child, place);
  }
  for (const left of [...keyed.values(), ...loose]) left.remove();
}

function take(wanted, keyed, loose) {
  const key = keyOf(wanted);
  if (key !== null) {
    const found = keyed.get(key);
    keyed.delete(key);
    return found?.nodeName === wanted.nodeName ? found : (found?.remove(), undefined);
  }
  const at = loose.findIndex((one) => one.nodeName === wanted.nodeName);
  return at < 0 ? undefined : loose.splice(at, 1)[0];
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

/** Put one text into an element, if it is not there already (a screen reader would say it again). */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Show a notice with this text, or hide it when there is none. */
export function notice(element, text) {
  say(element, text);
  if (element) element.hidden = !text;
}
