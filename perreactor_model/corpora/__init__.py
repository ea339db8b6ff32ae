"""Corpora of recorded conversations, in the layouts in which they are distributed.

`opening.open_corpus` finds out which layout a folder has; `react` and `mars` know one each; what
they find are `recordings`, whose files `reading` reads. Nothing is computed here: that is
`preparation`.
"""
