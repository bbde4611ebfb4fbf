"""Scores of the catalogs: requests made from the vendors' own documents, by code that shares nothing with the generator."""
