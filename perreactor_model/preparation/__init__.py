"""A corpus in the shape that training and evaluation read: arrays on disk, computed once.

`prepared` opens it, `storing` writes it. No torch here.
"""

from perreactor_model.preparation.prepared import (
    PreparedCorpus,
    PreparedError,
    PreparedSplit,
    open_prepared,
)

__all__ = ["PreparedCorpus", "PreparedError", "PreparedSplit", "open_prepared"]
