"""The control API: what people, agents and every OPA ask of the firewall over HTTP (CONTRACT: Control API).

`routes/` holds the one table of routes and a file a resource; `app` puts the table behind the gates (host, origin, credential,
role, body); `main` is the composition root.
"""
