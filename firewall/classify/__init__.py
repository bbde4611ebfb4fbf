"""Request → what it means. `CLASSIFIERS` is tried in order; the first that knows the request wins.

A classifier that raises, or none that knows: an `unknown` action, the riskiest kind (SEMANTICS 5).
"""
