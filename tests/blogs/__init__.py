"""Blogs made on the spot, as many as wanted, each a host of its own: posts, comments that come and go, bad weather."""

from tests.blogs.blog import Blog, Comment, Post
from tests.blogs.words import make_blog

__all__ = ["Blog", "Comment", "Post", "make_blog"]
