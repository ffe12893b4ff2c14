"""Makes Inter-Regular.otf and Inter-SemiBold.otf of this folder from the full Inter 4.0 fonts.

    pip install fonttools
    python make_font.py /usr/share/fonts/opentype/inter        # Debian: fonts-inter

Two changes: only Latin, Greek and common mathematical signs are kept, and every glyph gets an empty
(zero-area) contour at its origin. The latter is for plotters 0.3, whose text drawing places a glyph
by the left edge of its bounding box and so forgets the left side bearing; with the origin inside the
box, letters stand where the type designer put them.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

KEEP = [(0x20, 0x7E), (0xA0, 0x17F), (0x391, 0x3C9), (0x2010, 0x2026), (0x2070, 0x209C),
        (0x2190, 0x2194), (0x2032, 0x2033), (0x25CF, 0x25CF)]
KEEP_ALSO = "−≈≤≥≠∞√∑∏∂∫Δ·×÷±‖•€…‰′″⌀"


def make(source: Path, target: Path) -> None:
    options = subset.Options(layout_features=[], hinting=False, name_IDs=["*"], notdef_outline=True,
                             desubroutinize=True)
    font = TTFont(source)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for lo, hi in KEEP for c in range(lo, hi + 1)] + [ord(c) for c in KEEP_ALSO])
    subsetter.subset(font)
    glyphs, top = font.getGlyphSet(), font["CFF "].cff.topDictIndex[0]
    for name in font.getGlyphOrder():
        pen = T2CharStringPen(glyphs[name].width, glyphs)
        glyphs[name].draw(pen)
        pen.moveTo((0, 0))
        pen.lineTo((0, 2))
        pen.closePath()
        old = top.CharStrings[name]
        top.CharStrings[name] = pen.getCharString(old.private, old.globalSubrs)
    font.save(target)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for weight in ["Regular", "SemiBold"]:
        make(folder / f"Inter-{weight}.otf", Path(__file__).parent / f"Inter-{weight}.otf")
