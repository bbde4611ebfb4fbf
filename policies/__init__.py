"""Rego that decides, and the demo document. Data files: `firewall.policy` reads them."""
