"""Whether a secret is one: long enough, nobody's example, and not to be guessed."""

import re
from collections.abc import Mapping, Set
from itertools import combinations

_MINIMUM_LENGTH = 16
_LEAST_SURPRISES = 12
_WORD_WEIGHT = 0.4

_PLACEHOLDER = re.compile(
    r"^(dev|your|test|demo)[-_]|change|replace|example|placeholder|secret-key"
)
# What people write where a secret is asked for, with digits and signs read as letters.
_COMMON = re.compile(
    "pass(word|wort)|secret|admin|master|root|login|letmein|welcome|iloveyou|qwert|asdf|zxcv|iq2we"
    "|whiskers|cathouse|task|manager|server|service|production|staging|test|user|token|api|key"
    "|spring|summer|autumn|winter"
)
_AS_LETTERS = str.maketrans("01345@$", "oieasas")
_WORDS = re.compile(r"(?:[A-Z]?[a-z]+[-_. ]?)+|[A-Z\-_. ]+")
_SEPARATORS = frozenset("-_. ")


def flaws(secrets: Mapping[str, str | None], not_judged: Set[str]) -> list[str]:
    """What is wrong with the secrets of these names, a sentence each."""
    faults = [
        f"{name} {complaint}"
        for name, secret in secrets.items()
        if name not in not_judged and (complaint := _complaint(secret or ""))
    ]
    reused = [
        f"{one} and {other} must not have the same value"
        for (one, secret), (other, same) in combinations(secrets.items(), 2)
        if secret is not None and secret == same
    ]
    return faults + reused


def _complaint(secret: str) -> str | None:
    if len(secret) < _MINIMUM_LENGTH or _PLACEHOLDER.search(secret.lower()):
        return f"must be a real secret of {_MINIMUM_LENGTH} or more characters outside development"
    if _surprises(secret) < _LEAST_SURPRISES:
        return "is too easy to guess: take a random one (see .env.example)"
    return None


def _surprises(secret: str) -> float:
    """How many of its characters come as a surprise.

    None that follows the one before as another did already, as in `aaaa`, `1234` or `catcat`, and
    none of a common word. Of what is nothing but words each letter counts for less.
    """
    lowered = secret.lower()
    common = {
        place
        for word in _COMMON.finditer(lowered.translate(_AS_LETTERS))
        for place in range(*word.span())
    }
    weight = _WORD_WEIGHT if _WORDS.fullmatch(secret) else 1.0
    codes = [0, 0, *map(ord, lowered)]
    surprises, seen = 0.0, set()
    for place, letter in enumerate(lowered):
        before, last, this = codes[place : place + 3]
        if (steps := (this - last, last - before)) not in seen:
            seen.add(steps)
            surprises += 0 if place in common or letter in _SEPARATORS else weight
    return surprises
