"""Compiled functions, kept on disk for the next process where there is a place to keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(cache=True, **options)`, and without the cache where none can be written.

    Numba keeps machine code in NUMBA_CACHE_DIR, beside the source or below the home folder. A
    container may allow none of them; then every process compiles for itself (some seconds).
    """

    def compile_lazily(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available"
            return njit(**options)(function)

    return compile_lazily
