package system.authz_test

import data.system.authz

strict := {"strict-builtin-errors": ["true"]}

asks(method, path, params) := {"method": method, "path": path, "params": params}

test_decision_paths_are_open if {
	every name in {"decision", "decisions"} {
		authz.allow with input as asks("POST", ["v1", "data", "firewall", name], strict)
	}
	authz.allow with input as asks("GET", ["health"], {})
}

test_all_else_is_shut if {
	every request in [
		asks("GET", ["v1", "data", "firewall", "decision"], strict),
		asks("POST", ["v1", "data", "firewall", "decision"], {"explain": ["full"], "strict-builtin-errors": ["true"]}),
		asks("POST", ["v1", "data", "firewall", "decision"], {}),
		asks("POST", ["v1", "data", "firewall", "policy"], strict),
		asks("POST", ["v1", "data", "firewall"], strict),
		asks("POST", ["v1", "data"], strict),
		asks("PUT", ["v1", "data", "firewall", "policy"], {}),
		asks("PUT", ["v1", "policies", "mine"], {}),
		asks("GET", ["v1", "policies"], {}),
		asks("GET", ["v1", "config"], {}),
		asks("POST", ["v1", "query"], {}),
		asks("POST", ["v1", "compile"], {}),
		asks("POST", [""], {}),
		asks("GET", ["metrics"], {}),
		asks("POST", ["health"], {}),
		{},
	] {
		not authz.allow with input as request
	}
}
