# METADATA
# title: Who may ask OPA what
# description: The decision path and the health page, and nothing else. No data, no policies, no ad-hoc queries.
package system.authz

# METADATA
# title: Allow
# entrypoint: true
default allow := false

allow if {
	input.method == "POST"
	input.path in {["v1", "data", "firewall", "decision"], ["v1", "data", "firewall", "decisions"]}
	object.keys(input.params) == {"strict-builtin-errors"}
}

allow if {
	input.method == "GET"
	input.path == ["health"]
}
