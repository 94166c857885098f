"""Text for people: what a file or a stranger named, made safe to show."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""The text of ``text`` in one line, with an escape for every character that cannot be seen.

    A name may hold bytes that clear a terminal, colour it or turn its writing around. Letters of
    all languages stay as they are; control characters, line breaks, marks of direction and bytes
    that are no text become escapes.

    Args:
        text: A string, a path or an error, shown as ``str`` gives it.

    Returns:
        A string for which ``str.isprintable`` holds.

    Example:
        >>> print(printable("naïve 猫\x1b[2J.png\n"))
        naïve 猫\x1b[2J.png\n
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )
