"""Simulated conversations: people who talk, and people who listen with their face.

Nobody was recorded. Who somebody is (`personas`), what is said and what happens (`scripts`), how
that looks and sounds (`talk`, `speaking_face`), how another person reacts (`rules`, one rule to a
module, each with the publication it follows), and what a face analyzer would see (`observed`).
`dyad.simulate` puts it together.
"""
