"""From pictures of a face to the 25 facial attributes and the head's pose, live on a CPU.

`analyzer.open_analyzer` gives a `FaceAnalyzer`; each picture becomes a `FaceObservation`. What is
not known is NaN, never invented. Only `landmarks.py` needs mediapipe.
"""
