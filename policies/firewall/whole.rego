package firewall

# A question is whole when it has every key that a rule may look at, in its type: what is missing would make a deny rule
# undefined, and the deny would not happen.
whole(question) if {
	is_string(question.action.agent)
	is_string(question.action.agent_id)
	is_string(question.action.service)
	is_string(question.action.operation)
	question.action.kind in {"read", "write", "execute", "delete", "unknown"}
	question.action.risk in {"low", "medium", "high", "critical"}
	is_string(question.action.method)
	is_string(question.action.host)
	is_string(question.action.canonical_path)
	question.action.source in {"proxy", "api"}
	question.agent.id == question.action.agent_id
	question.agent.name == question.action.agent
	is_string(question.context.time)
	is_string(question.context.source_ip)
	is_object(question.context.counts)
	is_array(question.findings)
}
