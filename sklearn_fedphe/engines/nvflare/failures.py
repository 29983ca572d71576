"""What may be said of an error to others, and what stays in a site's own log."""

from __future__ import annotations

import logging
import traceback

from .keys import KeyFileError

_OURS = __name__.partition(".")[0] + "."

_log = logging.getLogger(__name__)


def words_for_others(party: str, error: Exception) -> str:
    """Return what other parties are told of an error: our own texts hold no values of rows.

    Libraries' errors are subclasses of their own, and may quote what they stumbled over; an
    error of a key file says where it is.

    Parameters
    ----------
    party : str
        Who stumbled.
    error : Exception

    Returns
    -------
    str
    """
    if isinstance(error, KeyFileError):
        told = f"{party} cannot use its key file: it is unsafe, broken or not there; run doctor."
        _log.error("%s %s", told, error)
    elif type(error) is ValueError or type(error).__module__.startswith(_OURS):
        told = str(error)
    else:
        told = f"{party} failed with an unexpected {type(error).__name__}; see its own log."
        # Where it failed, and not its text, which may quote a value.
        _log.error("%s\n%s", told, "".join(traceback.format_tb(error.__traceback__)))
    return told
