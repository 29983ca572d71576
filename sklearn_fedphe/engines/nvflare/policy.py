"""What a site answers, to whom, and how often: its own word, which no job changes."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...protocol.queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    PrivateGramQuery,
    Query,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)
from .reading import RosterError, as_names, as_object

if TYPE_CHECKING:
    from .terms import Terms

QUERIES = tuple(
    kind.__name__
    for kind in (
        SumsQuery,
        SquaresQuery,
        GradientQuery,
        StartQuery,
        GramQuery,
        PrivateGramQuery,
        ErrorsQuery,
    )
)
"""All there are; no fit asks the last."""


class PolicyError(ValueError):
    """A site's policy does not allow what is asked."""


@dataclass(frozen=True)
class SitePolicy:
    """A site's limits on the fits it takes part in.

    Parameters
    ----------
    analysts : tuple of str
        Whose fits; none: those of all analysts on the roster.
    queries : tuple of str
        Which it answers.
    max_rounds : int
        Most of one fit, and most steps that a hospital takes alone before.
    min_rows : int
        Fewest that a fit may ask of a hospital.
    min_rows_per_parameter : float
        The same for each parameter of the model.
    privacy_required : bool
        Whether only fits with differential privacy are taken part in.
    max_epsilon, max_delta : float
        The most that one of these may cost. `min_rows` and the like are not asked of it.
    max_honest_clients : int
        How many hospitals, this one among them, may at most be relied on for the noise.

    Raises
    ------
    RosterError
        If a limit is of another kind, or none.
    """

    analysts: tuple[str, ...] = ()
    queries: tuple[str, ...] = QUERIES[:-1]
    max_rounds: int = 1000
    min_rows: int = 3
    min_rows_per_parameter: float = 0.0
    privacy_required: bool = False
    max_epsilon: float = 1.0
    max_delta: float = 1e-5
    max_honest_clients: int = 2

    def __post_init__(self) -> None:
        unknown = [name for name in self.queries if name not in QUERIES]
        if unknown or not self.queries:
            raise RosterError(
                f"A policy of the queries {list(self.queries)}, where one or more of "
                f"{', '.join(QUERIES)} belong."
            )
        for name in ("max_rounds", "min_rows", "max_honest_clients"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise RosterError(f"A policy of {name}={value!r}; use a number from 1 on.")
        for name in ("min_rows_per_parameter", "max_epsilon", "max_delta"):
            value = getattr(self, name)
            if not _is_limit(value):
                raise RosterError(f"A policy of {name}={value!r}; use a number from 0 on.")
        if type(self.privacy_required) is not bool:
            raise RosterError(
                f"A policy of privacy_required={self.privacy_required!r}; use true or false."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, given: Any) -> SitePolicy:
        """Parse what `to_dict` returns.

        Raises
        ------
        RosterError
        """
        names = [field.name for field in dataclasses.fields(cls)]
        limits = dict(as_object("A policy", given, names))
        if limits["analysts"] != []:
            limits["analysts"] = as_names("a policy's analysts", limits["analysts"])
        limits["analysts"] = tuple(limits["analysts"])
        limits["queries"] = as_names("a policy's queries", limits["queries"])
        return cls(**limits)

    def check_terms(self, party: str, terms: Terms, analyst: str) -> None:
        """Refuse a fit. Run by the site, before it loads anything.

        Parameters
        ----------
        party : str
            Who refuses, for the error.
        terms : Terms
        analyst : str
            Who proposes them, by certificate.

        Raises
        ------
        PolicyError
        """
        rules = terms.rules
        if self.analysts and analyst not in self.analysts:
            raise self._refusal(party, f"a fit by {analyst!r}", f"analysts={self.analysts}")
        steps = 0 if terms.own_steps is None else terms.own_steps.max_iter
        if steps > self.max_rounds:
            raise self._refusal(party, f"{steps} steps alone", f"max_rounds={self.max_rounds}")
        if rules.privacy is None:
            if self.privacy_required:
                raise self._refusal(party, "a fit without privacy", "privacy_required=True")
            for name in ("min_rows", "min_rows_per_parameter"):
                asked, least = getattr(rules, name), getattr(self, name)
                if asked < least:
                    raise self._refusal(party, f"a fit of {name}={asked}", f"{name}={least}")
            return
        for name in ("epsilon", "delta", "honest_clients"):
            asked, most = getattr(rules.privacy, name), getattr(self, f"max_{name}")
            if asked > most:
                raise self._refusal(party, f"a fit of {name}={asked}", f"max_{name}={most}")

    def check_query(self, party: str, query: Query, round_number: int) -> None:
        """Refuse a query. Run by the site, before it computes anything.

        Parameters
        ----------
        party : str
            Who refuses, for the error.
        query : Query
        round_number : int
            From 1.

        Raises
        ------
        PolicyError
        """
        kind = type(query).__name__
        if kind not in self.queries:
            raise self._refusal(party, f"a {kind}", f"queries={self.queries}")
        if round_number > self.max_rounds:
            raise self._refusal(party, f"round {round_number}", f"max_rounds={self.max_rounds}")

    @staticmethod
    def _refusal(party: str, what: str, limit: str) -> PolicyError:
        return PolicyError(
            f"{party} refuses {what}: its policy has {limit}. Keep to that, or ask the site."
        )


def _is_limit(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max
