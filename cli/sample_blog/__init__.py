"""A blog to try chorus on and to test it with: five posts with their threads, served on this machine as WordPress prints it."""

from cli.sample_blog.render import expected_threads
from cli.sample_blog.server import SampleBlog

__all__ = ["SampleBlog", "expected_threads"]
