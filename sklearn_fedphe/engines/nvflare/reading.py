"""Reading what people and other parties wrote: strictly, with errors that say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class RosterError(ValueError):
    """A roster, card or settings file is not what it should be."""


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises
    ------
    RosterError
        If there is none, or it is something else. Its content is not quoted.
    """
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise RosterError(f"{path} is not JSON; it was cut off or altered.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def as_object(what: str, given: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return an object that has these members and no others.

    Raises
    ------
    RosterError
    """
    if not isinstance(given, dict) or set(given) != set(names):
        found = sorted(given) if isinstance(given, dict) else type(given).__name__
        raise RosterError(f"{what} has {found}, where {sorted(names)} belong.")
    return given


def as_text(what: str, given: Any) -> str:
    """Return a text that is not empty.

    Raises
    ------
    RosterError
    """
    if not isinstance(given, str) or not given:
        raise RosterError(f"{what} is {given!r}, where a text belongs.")
    return given


def as_names(what: str, given: Any) -> tuple[str, ...]:
    """Return a list of one or more different texts.

    Raises
    ------
    RosterError
    """
    if not isinstance(given, list) or not given:
        raise RosterError(f"{what} are {given!r}, where a list of names belongs.")
    names = tuple(as_text(f"one of {what}", name) for name in given)
    if len(set(names)) < len(names):
        raise RosterError(f"{what} are {list(names)}, and each must be there once.")
    return names
