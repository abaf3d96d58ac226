// The board of a centre, kept fresh: by the stream while it holds, by asking now and then while it does not.

import { ask } from "./api.js";
import { isSignedOut } from "./signed_out.js";

// The server says something at least every 15 s; two of its words may be late.
const SILENCE_MAX_MS = 40000;
// The browser comes back by itself after 2 s: nobody needs to hear of that.
const BANNER_AFTER_MS = 5000;
const POLL_EVERY_MS = 10000;
const OPEN_AGAIN_MS = 10000;
const TICK_MS = 1000;

/** Follow a centre; see `Follower`. `names` "none": what comes from the server names nobody. */
export function follow(centerId, { onBoard, onState, names = "first" }) {
  const follower = new Follower(`/centers/${centerId}`, names, onBoard, onState);
  follower.open();
  follower.ticking = setInterval(() => follower.tick(), TICK_MS);
  addEventListener("online", () => follower.open());
}

/**
 * Tells `onBoard` each new board, and `onState` how it stands: "live", "polling" (the stream failed) or "lost" (nothing
 * answers), with the moment of the server's clock as of which the last board is known to hold, or null.
 */
class Follower {
  constructor(path, names, onBoard, onState) {
    this.path = path;
    this.query = `?names=${names}`;
    this.onBoard = onBoard;
    this.onState = onState;
    this.source = null;
    this.openedAt = this.heardAt = this.goodAt = performance.now();
    this.polledAt = -POLL_EVERY_MS;
    this.isPolling = false;
    this.isReachable = true;
    this.etag = "";
    this.board = null;
  }

  open() {
    if (isSignedOut()) return;
    this.source?.close();
    this.openedAt = this.heardAt = performance.now();
    this.source = new EventSource(`/api/v1${this.path}/live${this.query}`);
    this.source.addEventListener("board", (event) => {
      this.heard();
      this.take(JSON.parse(event.data));
    });
    this.source.addEventListener("still", () => this.heard());
    // Why it may not go on is asked at once: the answer to that says it.
    this.source.addEventListener("bye", (event) => {
      if (JSON.parse(event.data).reason === "rights_lost") this.poll();
    });
    this.source.addEventListener("error", ({ target }) => {
      if (target.readyState === EventSource.CLOSED && performance.now() - this.polledAt >= POLL_EVERY_MS) this.poll();
    });
  }

  heard() {
    this.heardAt = this.goodAt = performance.now();
    this.confirm();
  }

  /** The last board still holds. */
  confirm() {
    this.isReachable = true;
    this.holdsAt = performance.now();
    this.tell();
  }

  take(board) {
    this.board = board;
    this.madeAt = performance.now();
    this.onBoard(board);
    this.confirm();
  }

  tick() {
    if (isSignedOut()) return this.stop();
    const now = performance.now();
    if (this.isLive(now)) {
      this.goodAt = now;
    } else {
      if (now - this.goodAt >= BANNER_AFTER_MS && !this.isPolling && now - this.polledAt >= POLL_EVERY_MS) this.poll();
      const isStuck = this.source.readyState === EventSource.CLOSED || now - this.heardAt >= SILENCE_MAX_MS;
      if (isStuck && now - this.openedAt >= OPEN_AGAIN_MS) this.open();
    }
    this.tell();
  }

  stop() {
    this.source.close();
    clearInterval(this.ticking);
  }

  isLive(now) {
    return this.source.readyState === EventSource.OPEN && now - this.heardAt < SILENCE_MAX_MS;
  }

  async poll() {
    if (this.isPolling) return;
    this.isPolling = true;
    this.polledAt = performance.now();
    try {
      const answer = await ask(`${this.path}/board${this.query}`, this.etag);
      if (answer) {
        this.etag = answer.etag;
        this.take(answer.body);
      } else {
        this.confirm();
      }
    } catch (refused) {
      this.isReachable = refused.status !== 0;
      if (isSignedOut()) this.stop();
      // Whoever may not look any more is told so by the page itself.
      if (refused.status === 403 || refused.status === 404) location.reload();
    } finally {
      this.isPolling = false;
      this.tell();
    }
  }

  tell() {
    if (isSignedOut()) return;
    const isWell = performance.now() - this.goodAt < BANNER_AFTER_MS;
    const state = isWell ? "live" : this.isReachable ? "polling" : "lost";
    const since = this.board ? new Date(Date.parse(this.board.as_of) + this.holdsAt - this.madeAt) : null;
    this.onState(state, since);
  }
}
