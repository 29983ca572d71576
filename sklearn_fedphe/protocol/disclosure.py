"""What a client refuses before it encrypts anything, and what the federation refuses.

After DataSHIELD's disclosure traps, where a client's own threshold decides whether it
takes part in a model: Wolfson et al., "DataSHIELD: resolving a conflict in contemporary
bioscience", International Journal of Epidemiology 39 (2010); ``nfilter.glm`` of its
generalised linear models is the most parameters that a row may stand for.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..privacy import GaussianPrivacy
from .envelope import RefusedMessageError
from .queries import PrivateGramQuery, Query


@dataclass(frozen=True)
class DisclosureRules:
    """Limits on how few rows may stand behind a model.

    Parameters
    ----------
    n_parameters : int
        Of the model, the intercept included.
    min_rows : int
        Fewest rows, of weights other than 0, with which a client takes part.
    min_rows_per_parameter : float
        Fewest rows a parameter with which a client takes part.
    privacy : GaussianPrivacy or None
        What a client promises its rows. It then answers a `PrivateGramQuery` and nothing
        else, once. How many rows there are is asked nowhere: a refusal would tell of it.
    fit_intercept : bool
        Whether private rows may be moved to the middle of their bounds.
    """

    n_parameters: int = 0
    min_rows: int = 1
    min_rows_per_parameter: float = 0.0
    privacy: GaussianPrivacy | None = None
    fit_intercept: bool = True

    def check_client(self, label: Hashable, n_rows: int) -> None:
        """Let a client refuse to take part. Run by the client, on its own rows.

        Parameters
        ----------
        label : hashable
            The client's.
        n_rows : int
            Its own.

        Raises
        ------
        ValueError
            With the client's label and the rule that its rows do not meet; how many there
            are it does not say.
        """
        if self.privacy is not None:
            return
        if n_rows < self.min_rows:
            raise ValueError(
                f"client {label!r} refuses to take part: it has fewer rows than min_rows="
                f"{self.min_rows}. Leave it out, or lower min_rows if that is agreed."
            )
        if n_rows < self.min_rows_per_parameter * self.n_parameters:
            raise ValueError(
                f"client {label!r} refuses to take part: it has fewer rows for "
                f"{self.n_parameters} parameters than min_rows_per_parameter="
                f"{self.min_rows_per_parameter} asks for. Use fewer features, leave it out, or "
                "lower min_rows_per_parameter if that is agreed."
            )

    def check_query(self, label: Hashable, query: Query, round_number: int) -> None:
        """Let a client refuse a query. Run by the client.

        Parameters
        ----------
        label : hashable
            The client's.
        query : Query
            What it is asked.
        round_number : int
            From 1.

        Raises
        ------
        RefusedMessageError
            Of a private client, if it is asked for anything but noisy products, or for
            these twice; of another, if it is asked for noise.
        """
        if self.privacy is None:
            if isinstance(query, PrivateGramQuery):
                self.promised_privacy(label)
            return
        if not isinstance(query, PrivateGramQuery):
            raise RefusedMessageError(
                f"client {label!r} refuses a {type(query).__name__}: it agreed on differential "
                "privacy, and its answer would have no noise; ask a PrivateGramQuery."
            )
        if round_number > 1:
            raise RefusedMessageError(
                f"client {label!r} refuses to answer again: it agreed to spend epsilon="
                f"{self.privacy.epsilon} and delta={self.privacy.delta} once; agree anew."
            )

    def promised_privacy(self, label: Hashable) -> GaussianPrivacy:
        """Return what a private client's noise is made by. Run by the client.

        Parameters
        ----------
        label : hashable
            The client's.

        Returns
        -------
        GaussianPrivacy
            What the client agreed on before the fit.

        Raises
        ------
        RefusedMessageError
            If it agreed on none.
        """
        if self.privacy is None:
            raise RefusedMessageError(
                f"client {label!r} refuses a PrivateGramQuery: it agreed on no bounds and no "
                "noise; agree on a GaussianPrivacy first."
            )
        return self.privacy

    def check_federation(self, n_rows: int) -> None:
        """Let the key holder refuse to tell a total. Run by the key holder.

        Parameters
        ----------
        n_rows : int
            Over all clients.

        Raises
        ------
        ValueError
            If there are more parameters than rows.
        """
        if n_rows < self.n_parameters:
            raise ValueError(
                f"The federation refuses a model of {self.n_parameters} parameters on fewer "
                "rows in all: totals over so few would tell the rows. Use fewer features."
            )


ANY_ROWS = DisclosureRules()
"""Nothing is refused."""
