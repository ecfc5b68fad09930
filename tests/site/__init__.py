"""A local site with what makes recording hard, served for real over HTTP/1.1 and HTTPS."""

from tests.site.server import HardCases, certificate

__all__ = ["HardCases", "certificate"]
