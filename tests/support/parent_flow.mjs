// @ts-check
// What a parent's app does, by the client that is made from the API's document; a line of JSON for each step.
// Called with the address of the server, the e-mail address and the password; goes on when a line comes in.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { Rollcall, RollcallProblem } from "./rollcall.js";

/** @typedef {import("./rollcall.js").MyLiveOut} MyLiveOut */

const [base, email, password] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (/** @type {object} */ step) => console.log(JSON.stringify(step));
const refusal = async (/** @type {Promise<unknown>} */ asked) => {
  try {
    await asked;
    return "granted";
  } catch (error) {
    return error instanceof RollcallProblem ? `${error.status} ${error.code}` : String(error);
  }
};

let pairs = 0;
const api = new Rollcall(base, { onTokens: () => (pairs += 1) });
say({ stranger: await refusal(api.myChildren()) });
await api.logIn(email, password);
const [child] = (await api.myChildren()).items;
say({ child: child.given_name, status: child.now.status });

const stop = new AbortController();
for await (const event of api.events("/api/v1/my/live", { signal: stop.signal })) {
  if (event.name !== "children") continue;
  const [now] = /** @type {MyLiveOut} */ (event.data).children;
  say({ live: now.status, id: event.id !== "" });
  if (now.status === "in") stop.abort();
}

await lines.next(); // the access token has run out meanwhile
const [day] = (await api.myStays({ child_id: child.id })).days;
const word = { event_id: randomUUID() };
const said = await api.confirm({ child_id: child.id, stay_id: day.stays[0].stay_id, body: word });
const again = await api.confirm({ child_id: child.id, stay_id: day.stays[0].stay_id, body: word });
say({ confirmed: said.event_id === word.event_id && again.version === said.version, pairs });

let etag = "";
const options = { onResponse: (/** @type {Response} */ answer) => (etag = answer.headers.get("etag") ?? "") };
const months = await api.myStatements({ query: { limit: 2 } }, options);
const same = await api.myStatements({ query: { limit: 2 }, headers: { "if-none-match": etag } });
say({ months: months?.items.map((one) => one.month), same });
const sheet = await api.myStatement({ child_id: child.id, month: "2026-09", query: { format: "csv" } });
say({ csv: sheet instanceof Response && (await sheet.text()).includes('"day"') });
say({ foreign: await refusal(api.myStays({ child_id: randomUUID() })) });
await api.logOut();
say({ after: await refusal(api.myChildren()), pairs });
process.exit(0);
