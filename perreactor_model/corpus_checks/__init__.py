"""Everything that is wrong with a corpus, found in one pass: what `perreactor validate` tells.

`files` looks into the files of one recording, `splits` at who is where, `matrices` at what is said
to be appropriate; `validating` walks the corpus, and `findings` counts. An error is what
`perreactor prepare` refuses or what training must not learn from; a warning is what it puts up
with.
"""
