"""Bags, read whatever became of them and written for everybody.

`reader.py` is the door; behind it one file is read by its index (`indexed.py`) or, where that is
broken, from end to end (`damaged.py`, on `mcap_records.py` and `sqlite_pages.py`). `definitions.py`
knows the messages' types.
"""
