"""A sample photo library that is drawn by code: nothing is downloaded, every run is the same."""

from demo.pictures.library import SamplePicture, draw_library

__all__ = ["SamplePicture", "draw_library"]
