"""The proxy process: a supervisor (`main`) that holds the listening socket, and workers that each run mitmproxy's master with
locked options (`worker`, `master`). The path of a request is in `addons`; here is only what carries it."""
