package firewall

# A question is whole when it has every key that a rule may look at, in its type: what is missing would make a deny rule
# undefined, and the deny would not happen.
whole(question) if {
	action := question.action
	is_string(action.agent)
	is_string(action.agent_id)
	[action.agent_id, action.agent] == [question.agent.id, question.agent.name]
	is_string(action.service)
	is_string(action.operation)
	is_string(action.method)
	is_array(action.methods)
	is_string(action.host)
	is_string(action.canonical_path)
	is_object(action.resource)
	action.kind in {"read", "write", "execute", "delete", "unknown"}
	action.risk in {"low", "medium", "high", "critical"}
	action.source in {"proxy", "api"}
	is_object(question.context)
	is_array(question.findings)
}
