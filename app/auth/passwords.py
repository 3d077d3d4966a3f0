"""Passwords: argon2id, off the event loop, in turn; what older versions stored still works."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Busy
from app.models.password import prepared

Result = TypeVar("Result")

# OWASP's figures: 19 MiB, two passes, one lane. Each hash takes about 18 ms of a core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# More at once would be no faster on the fraction of a core a task has, and cost 19 MiB each.
_AT_ONCE = 1
_TIMEOUT = 2.0
_BCRYPT_BYTES = 72
# Of a password nobody knows: an unknown address takes as long as a known one.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$lhFqfQNFzivb0csO2cwfEQ"
    "$FuIRtULVZU2Kh9Y/Y3u0NLEGiOv5E8paFf3Y7fMa2yA"
)


class Passwords:
    """Hashes and verifies in one thread; who would wait too long for it is told Busy."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._thread = ThreadPoolExecutor(_AT_ONCE, "passwords")

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        return await self._in_turn(lambda: _HASHER.hash(prepared(password)))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one stored; takes its time also where none is."""
        matches = await self._in_turn(lambda: _matches(password, stored or _NOBODYS_HASH))
        return matches and stored is not None

    async def renew(self, password: str, stored: str) -> str | None:
        """What to store of a right password from now on; None where that is stored already."""
        form = prepared(password)
        if form == password and not is_outdated(stored):
            return None

        def hash_anew() -> str | None:
            is_current = not is_outdated(stored) and _is_of(form, stored)
            return None if is_current else _HASHER.hash(form)

        return await self._in_turn(hash_anew)

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._turns.release()


def is_outdated(stored: str) -> bool:
    """Whether a stored hash is of another kind, or weaker, than those made now."""
    return _is_bcrypt(stored) or _HASHER.check_needs_rehash(stored)


def _matches(password: str, stored: str) -> bool:
    """Older versions hashed what was typed; a second hash is made only where that is another."""
    return any(_is_of(form, stored) for form in dict.fromkeys((prepared(password), password)))


def _is_of(password: str, stored: str) -> bool:
    try:
        if _is_bcrypt(stored):
            # bcrypt never saw more; its libraries used to cut in silence.
            return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], stored.encode())
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError, ValueError):
        return False


def _is_bcrypt(stored: str) -> bool:
    return stored.startswith("$2")
