"""Passwords: what is accepted, and how they are kept (argon2id, RFC 9106)."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from myosono.errors import ClinicError

SHORTEST, LONGEST = 12, 256
_FEWEST_DIFFERENT = 5
_GUESSED_FIRST = ("password", "passwort", "qwerty", "123456", "abcdef", "letmein", "myosono", "ultrasound", "welcome")

_HASHER = PasswordHasher()
# One hash takes 64 MiB: many logins at once must queue rather than fill the memory.
_TURNS = threading.BoundedSemaphore(2)


def check_rules(password: str, user_name: str) -> None:
    """Refuse a password that is guessed soon: length counts, not kinds of characters (NIST SP 800-63B §5.1.1.2).

    Raises
    ------
    ClinicError
        Saying what is wrong.
    """
    said = _normal(password)
    if len(said) < SHORTEST:
        raise ClinicError(f"the password is too short: {SHORTEST} characters or more are needed")
    if len(said) > LONGEST:
        raise ClinicError(f"the password is too long: {LONGEST} characters at most")
    rest = said.lower().replace(user_name.lower(), "") if user_name else said.lower()
    for common in _GUESSED_FIRST:
        rest = rest.replace(common, "")
    if len(set(rest)) < _FEWEST_DIFFERENT:
        raise ClinicError("the password is too easy to guess", remedy="Several unrelated words make a good one.")


def hash_password(password: str) -> str:
    """The encoded argon2id hash, salt and parameters included."""
    with _TURNS:
        return _HASHER.hash(_normal(password))


def verify_password(encoded: str, password: str) -> bool:
    """Whether a password is the one that was hashed; an empty hash belongs to nobody and matches nothing.

    Takes as long for a user that does not exist (an empty hash) as for one that does.
    """
    if len(password) > 4 * LONGEST:
        return False
    with _TURNS:
        nobody = _nobodys_hash()  # asked for in any case, so that the first call is as slow for a known user
        try:
            return _HASHER.verify(encoded or nobody, _normal(password)) and bool(encoded)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def is_outdated(encoded: str) -> bool:
    """Whether a hash was made with weaker parameters than today's, so that it is made anew at the next login."""
    return _HASHER.check_needs_rehash(encoded)


def _normal(password: str) -> str:
    """The same password typed on two keyboards is the same bytes (RFC 8265: NFC)."""
    return unicodedata.normalize("NFC", password)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("nobody's password")
