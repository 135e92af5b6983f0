from __future__ import annotations

import argon2
import pytest

from myosono.clinic.accounts.passwords import check_rules, hash_password, is_outdated, verify_password
from myosono.errors import ClinicError

GOOD = "several unrelated words"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("eleven char", "too short"),
        ("x" * 257, "too long"),
        ("aaaaaaaaaaaaaaaa", "too easy"),
        ("password123456", "too easy"),
        ("Password123456", "too easy"),
        ("annaannaanna1", "too easy"),
        ("qwertyqwerty", "too easy"),
    ],
)
def test_what_is_guessed_soon_is_refused(password: str, reason: str) -> None:
    with pytest.raises(ClinicError, match=reason):
        check_rules(password, "anna")


@pytest.mark.parametrize("password", [GOOD, "十二个字符的密码也可以用了吗", "x7!Qp$wz_kL2"])
def test_length_counts_not_kinds_of_characters(password: str) -> None:
    check_rules(password, "anna")


def test_a_hash_fits_its_password_only() -> None:
    kept = hash_password(GOOD)
    assert kept.startswith("$argon2id$")
    assert GOOD not in kept
    assert hash_password(GOOD) != kept  # a salt of its own
    assert verify_password(kept, GOOD)
    assert not verify_password(kept, GOOD + " ")


def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    assert verify_password(hash_password("Muskelsonogr\u00e4phie"), "Muskelsonogra\u0308phie")


@pytest.mark.parametrize("kept", ["", "not a hash", "$argon2id$v=19$m=65536,t=3,p=4$broken"])
def test_an_impossible_hash_fits_nothing(kept: str) -> None:
    assert not verify_password(kept, GOOD)
    assert not verify_password(kept, "")
    assert not verify_password(kept, "nobody's password")


def test_a_weak_hash_is_outdated() -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    assert is_outdated(weak)
    assert not is_outdated(hash_password(GOOD))
