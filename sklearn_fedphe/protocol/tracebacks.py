"""What a failed round leaves behind: where it failed, and none of the numbers it worked on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_locals() -> Iterator[None]:
    """Let errors out with their tracebacks, but without the local variables of its frames.

    A traceback keeps the frames it went through alive, and these hold keys, masks and rows: a
    debugger or an error reporter would show them. Frames of the caller's own are left alone.
    """
    try:
        yield
    except BaseException as error:
        chained: dict[int, BaseException] = {}
        ahead: list[BaseException | None] = [error]
        while ahead:
            link = ahead.pop()
            if link is not None and id(link) not in chained:  # a chain may come back to its start
                chained[id(link)] = link
                traceback.clear_frames(link.__traceback__)
                ahead += [link.__cause__, link.__context__]
        raise
