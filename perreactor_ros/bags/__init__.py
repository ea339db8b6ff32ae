"""Bags, read whatever became of them and written for everybody.

`reader.py` is the door; behind it one file is read by its index (`indexed.py`) or, where that is
broken, record by record (`damaged.py`). `definitions.py` knows the messages' types.
"""
