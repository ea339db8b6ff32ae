"""How people react to one another, one rule to a module, each with the publication it follows.

Directions and times are from there. Probabilities and sizes are ours where a docstring gives no
number of theirs.
"""
