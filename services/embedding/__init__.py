"""The embedding service: images to vectors with an ONNX model. Owns no tables.

Reads images from requests or from the blob store; tells no events.
"""
