"""Training in two stages: GAG with D_R and D_A^G, then PAG with D_R and D_A^P (paper, Eq. 9-13).

A third, `face`, teaches a trained generator to see pixels. What one step is (`batch`,
`generic_stage`, `personal_stage`, `face_stage`, their losses) knows nothing of how often, on how
many devices and on which data it is done. Importing this package loads nothing.
"""
