"""The letters of PDF documents: a TrueType font of the machine, or else Courier, which every reader has.

The fonts that every PDF reader has know the letters of Western Europe and no others, and a name is not to be lost. So
a font file is looked for; what the chosen font lacks is drawn as a mark that everybody sees, and counted.
"""

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import structlog
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, TTLibError

PER_MILLE: Final = 1_000
"""Widths are in thousandths of the size of the font (ISO 32000-1, 9.2.4)."""

KNOWN_FONTS: Final = tuple(
    Path(one)
    for one in (
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
        "/usr/share/fonts/liberation/LiberationSans-Regular.ttf",
        "/Library/Fonts/Arial Unicode.ttf",
        "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
        "C:/Windows/Fonts/arial.ttf",
    )
)
_COURIER_WIDTH: Final = 600
_log = structlog.get_logger(__name__)


class Letters(Protocol):
    """The letters of one document; `mark` stands for what the font lacks, `lacking` counts how often."""

    mark: str
    lacking: int

    def width(self, text: str) -> int:
        """Give the width of a text in thousandths of the size."""
        ...

    def shown(self, text: str) -> bytes:
        """Give the operand that draws a text."""
        ...

    def objects(self, first: int) -> list[bytes]:
        """Give the objects that hold what was used; the first of them, numbered `first`, is the font."""
        ...


@dataclass(frozen=True, slots=True)
class FontFile:
    """What is known of a font file: the glyph of each code point and the width of each glyph."""

    content: bytes
    glyphs: dict[int, int]
    widths: tuple[int, ...]
    box: tuple[int, int, int, int]
    ascent: int
    descent: int


class Courier:
    """Letters of Western Europe (Windows-1252), all of one width; no file is needed."""

    mark = "¤"

    def __init__(self) -> None:
        """Begin a document."""
        self.lacking = 0

    def width(self, text: str) -> int:
        """Give the width of a text."""
        return _COURIER_WIDTH * len(text)

    def shown(self, text: str) -> bytes:
        """Give the operand that draws a text."""
        found = bytearray()
        for one in text:
            try:
                found += one.encode("cp1252")
            except UnicodeEncodeError:
                self.lacking += 1
                found += self.mark.encode("cp1252")
        return b"<" + found.hex().encode() + b">"

    def objects(self, first: int) -> list[bytes]:  # noqa: ARG002 - as `Letters` has it
        """Give the font by its name."""
        return [b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>"]


@dataclass(slots=True)
class TrueTypeLetters:
    """Letters of a font file, of which the document gets those that are used."""

    file: FontFile
    mark: str = "□"
    lacking: int = 0
    used: dict[int, int] = field(default_factory=dict)

    def width(self, text: str) -> int:
        """Give the width of a text."""
        file = self.file
        return sum(file.widths[file.glyphs.get(ord(one), 0)] for one in text)

    def shown(self, text: str) -> bytes:
        """Give the operand that draws a text: two bytes for each glyph."""
        found = bytearray()
        for one in text:
            glyph = self.file.glyphs.get(ord(one))
            if glyph is None:
                self.lacking += 1
                glyph = self.file.glyphs.get(ord(self.mark), 0)
                self.used.setdefault(glyph, ord(self.mark))
            else:
                self.used.setdefault(glyph, ord(one))
            found += glyph.to_bytes(2, "big")
        return b"<" + found.hex().encode() + b">"

    def objects(self, first: int) -> list[bytes]:
        """Give font, descendant, descriptor, file and the way back to text (ISO 32000-1, 9.7 and 9.10)."""
        program = _subset(self.file, self.used)
        packed = zlib.compress(program)
        file, box = self.file, " ".join(map(str, self.file.box))
        widths = " ".join(f"{glyph} [{file.widths[glyph]}]" for glyph in sorted(self.used))
        back = zlib.compress(_to_unicode(self.used))
        return [
            f"<< /Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Report /Encoding /Identity-H "
            f"/DescendantFonts [{first + 1} 0 R] /ToUnicode {first + 4} 0 R >>".encode(),
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+Report /CIDSystemInfo << /Registry (Adobe) "
            f"/Ordering (Identity) /Supplement 0 >> /CIDToGIDMap /Identity /FontDescriptor {first + 2} 0 R "
            f"/DW 0 /W [{widths}] >>".encode(),
            f"<< /Type /FontDescriptor /FontName /AAAAAA+Report /Flags 4 /FontBBox [{box}] /ItalicAngle 0 "
            f"/Ascent {file.ascent} /Descent {file.descent} /CapHeight {file.ascent} /StemV 80 "
            f"/FontFile2 {first + 3} 0 R >>".encode(),
            stream(f"/Length1 {len(program)} /Filter /FlateDecode", packed),
            stream("/Filter /FlateDecode", back),
        ]


def stream(words: str, content: bytes) -> bytes:
    """Give the body of an object that is a stream."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (words.encode(), len(content), content)


def letters(font: Path | None) -> Letters:
    """Give letters for one document: of `font`, of the first font that this machine has, or of Courier."""
    for path in (font, *KNOWN_FONTS) if font else KNOWN_FONTS:
        found = _read(path)
        if found is not None:
            return TrueTypeLetters(found)
    return Courier()


@cache
def _read(path: Path) -> FontFile | None:
    try:
        content = path.read_bytes()
        with TTFont(io.BytesIO(content), lazy=True) as opened:
            return _measured(opened, content)
    except FileNotFoundError:
        return None
    except (OSError, TTLibError, KeyError, AttributeError) as error:
        _log.warning("report_font_refused", path=str(path), reason=type(error).__name__)
        return None


def _measured(opened: TTFont, content: bytes) -> FontFile:
    units, head, lines = opened["head"].unitsPerEm, opened["head"], opened["hhea"]

    def scaled(value: int) -> int:
        return int(value * PER_MILLE / units + 0.5)

    metrics = opened["hmtx"].metrics
    order = opened.getGlyphOrder()
    opened["glyf"]  # a font of another kind of outlines cannot be embedded as this one is: KeyError
    numbers = {name: number for number, name in enumerate(order)}
    return FontFile(
        content=content,
        glyphs={code: numbers[name] for code, name in opened.getBestCmap().items()},
        widths=tuple(scaled(metrics[name][0]) for name in order),
        box=(scaled(head.xMin), scaled(head.yMin), scaled(head.xMax), scaled(head.yMax)),
        ascent=scaled(lines.ascent),
        descent=scaled(lines.descent),
    )


def _subset(file: FontFile, glyphs: Iterable[int]) -> bytes:
    """The font with these glyphs alone, under the same numbers: pages that were written already name them."""
    options = Options(retain_gids=True, layout_features=[], hinting=False, notdef_outline=True, name_IDs=[])
    options.drop_tables += ["FFTM", "GSUB", "GPOS", "GDEF", "OS/2", "post", "name", "kern", "cmap"]
    with TTFont(io.BytesIO(file.content)) as opened:
        subsetter = Subsetter(options)
        subsetter.populate(gids=sorted(glyphs))
        subsetter.subset(opened)
        made = io.BytesIO()
        opened.save(made)
    return made.getvalue()


def _to_unicode(used: dict[int, int]) -> bytes:
    """The text behind the glyphs, for search and screen readers (Adobe Technical Note 5411)."""
    lines = [f"<{glyph:04x}> <{chr(code).encode('utf-16-be').hex()}>" for glyph, code in sorted(used.items())]
    blocks = [lines[at : at + 100] for at in range(0, len(lines), 100)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Report def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{body}\nendcmap end end"
    ).encode()
