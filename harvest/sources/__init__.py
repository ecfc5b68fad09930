"""What else a site says about a thread than its one rendered page: its API, its comment feed, its further comment pages.

Everything here is pure. The readers are generators that yield the addresses they want and are sent the answers; the
driver puts them in touch with whatever fetches, and merges what they found by the comments' native ids.
"""
