"""Errors leave without local variables, however they are chained."""

import pytest

from sklearn_fedphe.protocol import without_locals


def fails(message):
    secret = message * 2
    raise ValueError(secret[: len(message)])


def caused():
    try:
        fails("first")
    except ValueError as error:
        raise KeyError("second") from error


def of_two_origins():
    """A cause that is given and a context that is not the cause."""
    try:
        fails("context")
    except ValueError:
        try:
            fails("cause")
        except ValueError as error:
            cause = error
        raise KeyError("last") from cause


def its_own_cause():
    try:
        fails("round")
    except ValueError as error:
        raise error from error


def errors_of(error):
    found, ahead = [], [error]
    while ahead:
        link = ahead.pop()
        if link is not None and link not in found:
            found.append(link)
            ahead += [link.__cause__, link.__context__]
    return found


def left_in(error):
    """Local variables of all frames below the one that called."""
    left = {}
    for link in errors_of(error):
        traceback = link.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_name in ("fails", *CHAINS):
                left |= traceback.tb_frame.f_locals
            traceback = traceback.tb_next
    return left


CHAINS = {chain.__name__: chain for chain in (caused, of_two_origins, its_own_cause)}


@pytest.mark.parametrize(("name", "n_errors"), zip(CHAINS, (2, 3, 1), strict=True))
def test_every_error_of_a_chain_is_cleared(name, n_errors):
    with pytest.raises(Exception) as plain:  # noqa: PT011 (what comes out is looked into)
        CHAINS[name]()
    assert "secret" in left_in(plain.value)

    with pytest.raises(Exception) as cleared, without_locals():  # noqa: PT011
        CHAINS[name]()

    assert len(errors_of(cleared.value)) == n_errors
    assert not left_in(cleared.value)
    assert str(cleared.value) == str(plain.value)
