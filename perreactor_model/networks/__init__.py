"""The networks of the method in torch, and their way into ONNX graphs.

Importing this package loads nothing: `networks.config` is readable without torch, every other
module imports torch itself.
"""
