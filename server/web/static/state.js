// How fresh a page is, in words.

import { zoned } from "./words.js";

/** Give the banner (empty when all is well) and the line that says as of when the numbers are. */
export function stateLine(state, asOf, timeZone) {
  const at = asOf ? zoned(asOf, timeZone) : "";
  const line = at ? `as of ${at}` : "";
  if (state === "live") return { banner: "", line };
  const numbers = at ? ` What you see is as of ${at}.` : "";
  const banner = state === "polling"
    ? `The live connection is interrupted; this page asks every ten seconds meanwhile.${numbers}`
    : `The server cannot be reached.${numbers} The desks go on recording without it.`;
  return { banner, line };
}
