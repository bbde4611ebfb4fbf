package firewall

# On what terms a person is asked. A field that no winning rule states keeps its default; of those that are stated the strictest
# counts. Approvers must be named by every rule that names any: where none is left, nobody could be asked, and the answer is deny.
with_terms(said) := said if {
	said.effect != "require_approval"
} else := object.union(said, {"approval": merged}) if {
	asked := [data.firewall.policy.rules[id].approval | some id in said.rules]
	approvers := common_approvers(asked, said.approval.approvers)
	count(approvers) > 0
	expires_in := lowest(asked, "expires_in", said.approval.expires_in)
	merged := {
		"quorum": max(array.concat([said.approval.quorum], [terms.quorum | some terms in asked])),
		"approvers": approvers,
		"expires_in": expires_in,
		"grant_for": min([expires_in, lowest(asked, "grant_for", said.approval.grant_for)]),
	}
} else := object.union(said, {"effect": "deny", "reason": reason}) if {
	reason := sprintf("no approver is named by all of these rules: %s", [concat(", ", said.rules)])
}

lowest(asked, name, otherwise) := min(stated) if {
	stated := [terms[name] | some terms in asked]
	count(stated) > 0
} else := otherwise

common_approvers(asked, otherwise) := sort(intersection(named)) if {
	named := {{who | some who in stated} | some terms in asked; stated := terms.approvers}
	count(named) > 0
} else := otherwise
