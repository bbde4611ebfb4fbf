package firewall

# The ids of all rules that match an action.
matching(action) := found(action) if action.methods == [action.method]

# A request that may be taken for several methods (X-HTTP-Method-Override): an allow rule must match it as each of them, any other
# rule as one of them.
matching(action) := union(each) - {id | some id in union(each); allows(id); not id in intersection(each)} if {
	action.methods != [action.method]
	methods := {action.method} | {method | some method in action.methods}
	each := {found(object.union(action, {"method": method})) | some method in methods}
}

allows(id) if data.firewall.policy.rules[id].effect == "allow"

# Found by host, method and the beginning of the path, then tested on the rest. A scan over 1,000 rules costs milliseconds, these
# look-ups a hundredth of it (docs/policy.md).
found(action) := {id |
	some host in host_keys(action)
	some method in {upper(action.method), "*"}
	some path in path_keys(action.canonical_path)
	some id in data.firewall.policy.index[host][method][path]
	every test in data.firewall.policy.rules[id].tests {
		regex.match(test.pattern, action[test.field])
	}
	every test in data.firewall.policy.rules[id].resources {
		regex.match(test.pattern, action.resource[test.name])
	}
}

# Rules that name no host stand under "", and only these match what came by API. Rules that name a host glob stand under the
# literal labels at its end, behind a dot; `suffix_labels` says how many labels such ends have in this policy.
host_keys(action) := [""] if action.source == "api"

host_keys(action) := ["", action.host] if {
	action.source == "proxy"
	count(data.firewall.policy.suffix_labels) == 0
}

host_keys(action) := array.concat(["", action.host], suffixes) if {
	action.source == "proxy"
	count(data.firewall.policy.suffix_labels) > 0
	labels := split(action.host, ".")
	suffixes := [key |
		some wanted in data.firewall.policy.suffix_labels
		wanted < count(labels)
		key := concat("", [".", concat(".", array.slice(labels, count(labels) - wanted, count(labels)))])
	]
}

# Rules stand under the literal segments at the beginning of their paths, as many as `path_segments` says: none, unless many
# rules share one host and method.
path_keys(_) := [""] if count(data.firewall.policy.path_segments) == 1

path_keys(path) := {key |
	segments := split(path, "/")
	some wanted in data.firewall.policy.path_segments
	key := concat("/", array.slice(segments, 0, wanted + 1))
} if {
	count(data.firewall.policy.path_segments) > 1
}
