"""Background jobs, each safe to run twice and in several processes at once.

`jobs.py` runs them, `expiry.py` and `partitions.py` are what they do, `admin.py` says how they fare, `main.py` builds it all.
"""
