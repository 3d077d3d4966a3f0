"""Passwords as RFC 8265 (OpaqueString) asks: the same one, typed on another system, is the same."""

import re
from unicodedata import category, normalize

from pydantic_core import PydanticCustomError

_REFUSED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# What else a system may show, or leave out, as it likes: fillers and variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def prepared(password: str) -> str:
    """The password with plain spaces, and composed: what is hashed of it."""
    if password.isascii():
        return password
    spaced = "".join(" " if category(char) == "Zs" else char for char in password)
    return normalize("NFC", spaced)


def opaque(password: str) -> str:
    """A new password, prepared; an error where another system might not type it alike."""
    password = prepared(password)
    if not _REFUSED.isdisjoint(map(category, password)) or _INVISIBLE.search(password):
        raise PydanticCustomError(
            "opaque_string", "must not contain control, invisible or unassigned characters"
        )
    return password
