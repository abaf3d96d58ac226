// What elements alone can tell of a page that everybody can use; gives a list of sentences, empty when all is well.
() => {
  const found = [];
  const shown = (element) => element.getClientRects().length > 0;
  const tell = (element, text) => found.push(`${text}: ${element.outerHTML.slice(0, 120)}`);
  const named = (element) =>
    (element.getAttribute("aria-label") || "").trim() ||
    (element.getAttribute("aria-labelledby") || "").split(/\s+/).map((id) => id && document.getElementById(id)?.textContent).join("").trim() ||
    element.textContent.trim() ||
    [...element.querySelectorAll("img[alt]")].map((image) => image.alt).join("").trim();

  if (!document.documentElement.lang) found.push("the page has no language");
  if (document.title.trim().length < 3) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("the page has not one main part");
  if (document.querySelectorAll("h1").length !== 1) found.push("the page has not one heading of the first level");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!shown(heading)) continue;
    const own = Number(heading.tagName[1]);
    if (own > level + 1) tell(heading, "a level of headings is left out");
    if (!heading.textContent.trim()) tell(heading, "an empty heading");
    level = own;
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels?.length && !field.getAttribute("aria-label")) tell(field, "a field without a label");
  }
  for (const element of document.querySelectorAll("a[href], button, summary, [role=button]")) {
    if (shown(element) && !named(element)) tell(element, "nothing says what this does");
  }
  for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) tell(image, "a picture without words");
  for (const drawn of document.querySelectorAll("svg")) {
    const isHidden = drawn.getAttribute("aria-hidden") === "true";
    if (!isHidden && !(drawn.getAttribute("role") === "img" && drawn.getAttribute("aria-label"))) tell(drawn, "a drawing without words");
  }
  for (const part of document.querySelectorAll("nav, section, form[method=get]")) {
    if (part.matches("nav") && !part.getAttribute("aria-label")) tell(part, "a navigation without a name");
    const pointed = part.getAttribute("aria-labelledby");
    if (pointed && !document.getElementById(pointed)) tell(part, "its name is not there");
  }
  for (const head of document.querySelectorAll("th")) if (!head.getAttribute("scope")) tell(head, "a head of a table without scope");
  for (const list of document.querySelectorAll("ul, ol")) {
    for (const child of list.children) if (!child.matches("li")) tell(child, "no item of its list");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) found.push(`two elements are called ${id}`);
  for (const element of document.querySelectorAll("[tabindex]")) if (element.tabIndex > 0) tell(element, "the order of the keyboard is not that of the page");
  for (const target of document.querySelectorAll("button, summary, nav a")) {
    const { height } = target.getBoundingClientRect();
    if (shown(target) && height < 24) tell(target, "too small to be pressed");
  }
  return found;
};
