"""A line of text as it is drawn from left to right: Arabic letters joined, right-to-left words turned around.

A page of a browser does this by itself; what draws glyphs one after the other must do it before. The rules are those
of the Unicode Bidirectional Algorithm (UAX #9, revision 50: W1 to W7, N1, N2, I1, I2, L2, L4) without explicit
embeddings, which no name needs; the shapes of joined letters are the presentation forms of the Unicode database.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

_RIGHT: Final = frozenset({"R", "AL", "AN"})
_NEUTRAL: Final = frozenset({"B", "S", "WS", "ON"})
_UNSEEN: Final = frozenset({"BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_MARKS: Final = frozenset({"\N{LEFT-TO-RIGHT MARK}", "\N{RIGHT-TO-LEFT MARK}", "\N{ARABIC LETTER MARK}"})
_MIRRORED: Final = {
    one: other for pair in ("()", "[]", "{}", "<>", "«»") for one, other in (tuple(pair), tuple(reversed(pair)))
}
_LAM: Final = "\N{ARABIC LETTER LAM}"
_ALEFS: Final = frozenset(
    "\N{ARABIC LETTER ALEF}\N{ARABIC LETTER ALEF WITH MADDA ABOVE}"
    "\N{ARABIC LETTER ALEF WITH HAMZA ABOVE}\N{ARABIC LETTER ALEF WITH HAMZA BELOW}"
)
_PRESENTATION_FORMS: Final = (range(0xFB50, 0xFE00), range(0xFE70, 0xFF00))


@dataclass(slots=True)
class _Cluster:
    """A letter with the marks above and below it, and its kind as the rules change it."""

    text: str
    kind: str
    level: int = 0


def drawn(text: str) -> str:
    """Give the characters of one line in the order in which they are drawn; other text comes back as it is."""
    if not any(unicodedata.bidirectional(one) in _RIGHT for one in text):
        return text
    clusters = _clusters(joined(text))
    strong = next((one.kind for one in clusters if one.kind in {"L", "R", "AL"}), "L")
    base = 0 if strong == "L" else 1
    _weak(clusters, "L" if base == 0 else "R")
    _neutral(clusters, "L" if base == 0 else "R")
    for one in clusters:
        one.level = _level(one.kind, base)
    return "".join(_mirrored(one) for one in _turned(clusters))


def joined(text: str) -> str:
    """Give the letters of Arabic script in the shapes that their neighbours lead to, in the order of reading."""
    forms = _forms()
    letters = [one for one in text if unicodedata.bidirectional(one) not in _UNSEEN and one not in _MARKS]
    plain = [at for at, one in enumerate(letters) if not unicodedata.combining(one)]
    shaped = list(letters)
    for number, at in enumerate(plain):
        before = letters[plain[number - 1]] if number else ""
        after = letters[plain[number + 1]] if number + 1 < len(plain) else ""
        found = forms.get(letters[at])
        if found is None or not shaped[at]:
            continue
        joins_before = "initial" in forms.get(before, {}) and "final" in found
        if letters[at] == _LAM and (ligature := forms.get(_LAM + after)):
            shaped[at], shaped[plain[number + 1]] = ligature["final" if joins_before else "isolated"], ""
            continue
        joins_after = "initial" in found and "final" in forms.get(after, {})
        form = _FORM[joins_before, joins_after]
        shaped[at] = found.get(form, letters[at])
    return "".join(shaped)


_FORM: Final = {(False, False): "isolated", (False, True): "initial", (True, False): "final", (True, True): "medial"}


@cache
def _forms() -> dict[str, dict[str, str]]:
    """The shapes of each letter (and of lam with an alef) by the names of their places."""
    found: dict[str, dict[str, str]] = {}
    for code in (code for block in _PRESENTATION_FORMS for code in block):
        form, _, points = unicodedata.decomposition(chr(code)).partition("> ")
        letters = "".join(chr(int(point, 16)) for point in points.split())
        is_pair = letters[:1] == _LAM and letters[1:] in _ALEFS
        if form.strip("<") in _FORM.values() and (len(letters) == 1 or is_pair):
            found.setdefault(letters, {}).setdefault(form.strip("<"), chr(code))
    return found


def _clusters(text: str) -> list[_Cluster]:
    found: list[_Cluster] = []
    for one in text:
        kind = unicodedata.bidirectional(one) or "L"
        if kind in _UNSEEN or one in _MARKS:
            continue
        if kind == "NSM" and found:
            found[-1].text += one
        else:
            found.append(_Cluster(one, "ON" if kind == "NSM" else kind))
    return found


def _weak(clusters: list[_Cluster], base: str) -> None:
    """Numbers and what stands between their digits."""
    strong = base
    for one in clusters:
        if one.kind in {"L", "R", "AL"}:
            strong = one.kind
        if one.kind == "EN" and strong == "AL":
            one.kind = "AN"
    for one in clusters:
        one.kind = "R" if one.kind == "AL" else one.kind
    for before, one, after in zip(clusters, clusters[1:], clusters[2:], strict=False):
        is_within = before.kind == after.kind and before.kind in {"EN", "AN"}
        if is_within and (one.kind == "CS" or (one.kind == "ES" and before.kind == "EN")):
            one.kind = before.kind
    for run in (clusters, clusters[::-1]):
        for before, one in pairwise(run):
            if one.kind == "ET" and before.kind == "EN":
                one.kind = "EN"
    strong = base
    for one in clusters:
        if one.kind in {"ES", "ET", "CS"}:
            one.kind = "ON"
        if one.kind in {"L", "R"}:
            strong = one.kind
        if one.kind == "EN" and strong == "L":
            one.kind = "L"


def _neutral(clusters: list[_Cluster], base: str) -> None:
    """What has no direction of its own goes with its neighbours when they agree, and with the line when not."""
    at = 0
    while at < len(clusters):
        end = at
        while end < len(clusters) and clusters[end].kind in _NEUTRAL:
            end += 1
        if end == at:
            at += 1
            continue
        before = _side(clusters[at - 1].kind) if at else base
        after = _side(clusters[end].kind) if end < len(clusters) else base
        for one in clusters[at:end]:
            one.kind = before if before == after else base
        at = end


def _side(kind: str) -> str:
    return "L" if kind == "L" else "R"


def _level(kind: str, base: int) -> int:
    if base == 0:
        return {"L": 0, "R": 1}.get(kind, 2)
    return 1 if kind == "R" else 2


def _turned(clusters: list[_Cluster]) -> list[_Cluster]:
    """From the highest level down, turn around what stands at it or above."""
    line = list(clusters)
    for level in range(max(one.level for one in line), 0, -1):
        at = 0
        while at < len(line):
            end = at
            while end < len(line) and line[end].level >= level:
                end += 1
            line[at:end] = line[at:end][::-1]
            at = max(end, at + 1)
    return line


def _mirrored(one: _Cluster) -> str:
    return _MIRRORED.get(one.text, one.text) if one.level % 2 else one.text
