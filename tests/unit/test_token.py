"""A token in what somebody else says: shown to nobody, however it is spelled."""

import pytest

from reconciler.settings import Token


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the header was 'Bearer s3cret.T+ken'", "the header was 'Bearer ***'"),
        ("no host s3cret.t+ken.evil.test", "no host ***.evil.test"),
        ("S3CRET.T+KENs3cret.T+ken", "******"),
        ("s3cretxT+ken", "s3cretxT+ken"),
        ("", ""),
    ],
    ids=["as it is", "as a host", "twice", "another", "nothing"],
)
def test_a_token_is_hidden_in_what_repeats_it(said: str, shown: str) -> None:
    assert Token("s3cret.T+ken").hidden_in(said) == shown
