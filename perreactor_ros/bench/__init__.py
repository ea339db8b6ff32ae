"""Benchmarks of the running graph: real processes, real topics, the demo's speaker playing."""
