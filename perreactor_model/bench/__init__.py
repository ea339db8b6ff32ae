"""Benchmarks: figures as ratios, measured side by side in one run on the machine at hand.

Each module measures one thing and returns a plain dictionary; `perreactor bench` prints it. Nothing
here is run by the tests as a judgement of speed.
"""
