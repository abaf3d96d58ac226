// The live page: the board of one centre as it changes.

import { boardPage, spokenCounts } from "./board.js";
import { notice, say, update } from "./dom.js";
import { follow } from "./stream.js";
import { stateLine } from "./state.js";

const isWall = document.body.classList.contains("wall");
const spoken = document.getElementById("spoken");
let zone = "UTC";

follow(document.body.dataset.center, {
  onBoard(board) {
    zone = board.center.time_zone;
    update(document.getElementById("board"), boardPage(board, { isWall }));
    say(spoken, spokenCounts(board));
  },
  onState(state, asOf) {
    const { banner, line } = stateLine(state, asOf, zone);
    document.body.dataset.stream = state;
    notice(document.getElementById("banner"), banner);
    say(document.getElementById("as-of"), line);
  },
});
