"""Makes the facts that ship (`firewall/classify/facts/`) from vendors' packages, and scores them: run by maintainers.

`python -m tools.catalog generate [SERVICE…]` writes facts; `score [SERVICE…]` sends one request for each operation that the
vendors' own documents name through the classifier and prints how many came back under their names (docs/catalogs.md).
"""
