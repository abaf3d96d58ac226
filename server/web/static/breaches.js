// When the ratio was not kept today. Asked for beside the board, and seldom: each answer is worked out from all that was
// recorded on the day, where a board is made up to twenty times a second.

import { ask } from "./api.js";
import { dayOf } from "./words.js";

const AGAIN_MS = 5 * 60_000;
// When a room gets into a breach or out of it, the times are asked for anew, but not at every step of a busy morning.
const AT_LEAST_MS = 20_000;
const ITEMS_MAX = 50;

/** What is known of the breaches of the day of one centre. */
export class Breaches {
  constructor(center, onNews) {
    this.center = center;
    this.onNews = onNews;
    this.known = null;
    this.askedAt = -Infinity;
    this.judged = "";
  }

  /** The answer `{ items, more, as_of }` if it is one about this day (YYYY-MM-DD); null otherwise. */
  of(day) {
    return this.known && dayOf(this.known.as_of) === day ? this.known : null;
  }

  /** See by a board whether it is time to ask; nothing is asked while nobody looks. */
  look(board) {
    const since = performance.now() - this.askedAt;
    const judged = board.rooms.filter((room) => room.ratio.status === "breach").map((room) => room.room_id).join(" ");
    const isNews = judged !== this.judged || !this.of(dayOf(board.as_of));
    if (document.hidden || since < (isNews ? AT_LEAST_MS : AGAIN_MS)) return;
    this.askedAt = performance.now();
    this.judged = judged;
    this.asking();
  }

  async asking() {
    try {
      const { body } = await ask(`/ratio/breaches?center_id=${this.center}&limit=${ITEMS_MAX}`);
      this.known = { items: body.items, more: Boolean(body.next_cursor), as_of: body.as_of.time };
      this.onNews();
    } catch {
      // The chart says less, and the next board asks again in a while.
    }
  }
}
