"""Whose rows an action may touch, and where it looks first."""


class Likely(str):
    """A user who probably has what is named by its id; the caller is trusted with anybody's.

    Any other string is the only user whose rows may be touched; None: anybody's, of nobody first.
    """

    __slots__ = ()


def is_bound(owner: str | None) -> bool:
    """Whether nobody's rows but the owner's may be touched."""
    return owner is not None and not isinstance(owner, Likely)
