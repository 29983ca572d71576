"""What stays in the process that made it."""

from __future__ import annotations

from typing import ClassVar, NoReturn


class Uncopied:
    """Refuses `pickle`, `copy` and `deepcopy`, and so to leave by way of joblib or a cache.

    Attributes
    ----------
    why : str
        What a copy would do, and what to do instead.
    """

    why: ClassVar[str]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is neither pickled nor copied: {self.why}")
