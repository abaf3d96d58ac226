// Moves the token of a mailed link into the form and out of the address, before anybody can look at it or share it.

const field = document.getElementById("token");
const found = /^#token=([A-Za-z0-9_-]{64})$/.exec(location.hash);

if (location.hash) history.replaceState(null, "", location.pathname);
if (found) field.value = found[1];
if (/^[A-Za-z0-9_-]{64}$/.test(field.value)) {
  // There is nothing to do with it for a person.
  document.getElementById("token-row").hidden = true;
  const ask = document.getElementById("ask");
  if (ask) ask.hidden = true;
}
