"""Names that people give to things: what may stand in one, and when two of them are the same name.

A name is kept and shown as it was written. Names are compared by their skeleton, in which case, width, the way of
typing an accent, white space and what nobody sees make no difference.
"""

import itertools
import unicodedata

# Unicode 17, DerivedCoreProperties.txt, Default_Ignorable_Code_Point: what is drawn as nothing. Joiners, variation
# selectors and tags are among them, which belong to the scripts of Persian and Hindi, and to emoji: they may be
# written, and do not count when names are compared.
IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
_IGNORABLE = frozenset(itertools.chain.from_iterable(range(first, last + 1) for first, last in IGNORABLE))
# Unicode 17, PropList.txt, Bidi_Control: what turns the direction makes a text look like another one.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Drawn as blanks although Unicode calls them symbols, letters or marks: empty Braille, empty hieroglyphs.
BLANKS = frozenset("\u2800\U0001d159\U00013441\U00013442\U00016fe4")
# Cn are noncharacters and what Unicode has not assigned. Versions of Python know different versions of Unicode: a
# letter so new that this one does not know it is refused until it does.
_REFUSED = {
    "Cc": "control characters",
    "Cs": "half a character",
    "Co": "private characters",
    "Cn": "characters that Unicode does not know",
}
# What stands for an object or a letter that got lost.
_PLACEHOLDERS = "\ufffc\ufffd"
# Scripts that pile up marks need four or five; more of them cover the lines above and below.
MAX_MARKS = 8
_BREAKS = "\u2028\u2029"
# Nobody sees them and no script needs them.
_NEEDLESS = "\u00ad\u200b\u2060\ufeff"


def skeleton(name: str) -> str:
    """What is compared of a name; two names with the same skeleton are one. It is nobody's name and is not shown."""
    before, text = None, name
    # Removing, folding and composing make work for each other; a few rounds and nothing changes any more.
    while text != before:
        before = text
        seen = "".join(" " if letter in BLANKS else letter for letter in text if not _is_unseen(letter))
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
        text = " ".join(text.split())
    return text


def _is_unseen(letter: str) -> bool:
    # Format characters beyond the ignorable ones order hieroglyphs, annotate, or mark a number: they name nobody.
    return ord(letter) in _IGNORABLE or unicodedata.category(letter) == "Cf"


def check(name: str) -> str:
    """The name. Raises ValueError where nothing of it can be seen, or where it has what no name has."""
    check_letters(name)
    if not any(_is_visible(letter) for letter in name):
        raise ValueError("a name needs a letter, a digit or a symbol that can be seen")
    return name


def check_letters(name: str) -> str:
    """The name. Raises ValueError for control characters and for what makes a name look like another one."""
    for letter in name:
        kind = _REFUSED.get(unicodedata.category(letter))
        if kind:
            raise ValueError(f"a name has no {kind}")
        if letter in BIDI_CONTROLS:
            raise ValueError("a name has no characters that turn the direction of writing")
        if letter in _BREAKS or letter in _NEEDLESS:
            raise ValueError("a name has no line separators, soft hyphens or blanks without a width")
        if letter in _PLACEHOLDERS:
            raise ValueError("a name has no placeholders of lost characters")
    if _most_marks(name) > MAX_MARKS:
        raise ValueError(f"a name has no more than {MAX_MARKS} combining marks in a row")
    return name


def _most_marks(name: str) -> int:
    # Decomposed, because a letter typed with its marks has as many. What nobody sees between marks does not part them.
    seen = (letter for letter in unicodedata.normalize("NFD", name) if _is_mark(letter) or not _is_unseen(letter))
    return max((len(list(row)) for marks, row in itertools.groupby(seen, _is_mark) if marks), default=0)


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _is_visible(letter: str) -> bool:
    # A mark alone is drawn on nothing.
    return unicodedata.category(letter)[0] in "LNPS" and letter not in BLANKS and not _is_unseen(letter)
