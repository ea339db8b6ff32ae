"""The PerReactor authors' exact layers, for weights trained with their code.

What is peculiar about these networks is kept, because the weights were trained with it: instance
normalisation over the whole clip, no activation between stacked linear layers, a decoder whose
second layer sees the future, unbounded valence and arousal. Ours, in the parent package, differ.
"""
