package firewall

# Terms count only where a person is asked.
with_terms(said) := said if said.effect != "require_approval"

# A field that no winning rule states keeps its default; of those that are stated the strictest counts. Approvers must be named
# by every rule that names any: where no approver is left, nobody could be asked, and the answer is deny.
with_terms(said) := object.union(said, {"approval": merged}) if {
	said.effect == "require_approval"
	asked := [data.firewall.policy.rules[id].approval | some id in said.rules]
	approvers := common_approvers(asked, said.approval.approvers)
	count(approvers) > 0
	expires_in := lowest(asked, "expires_in", said.approval.expires_in)
	merged := {
		"quorum": max(array.concat([1], [terms.quorum | some terms in asked])),
		"approvers": approvers,
		"expires_in": expires_in,
		"grant_for": min([expires_in, lowest(asked, "grant_for", said.approval.grant_for)]),
	}
}

with_terms(said) := object.union(said, {"effect": "deny", "reason": reason}) if {
	said.effect == "require_approval"
	asked := [data.firewall.policy.rules[id].approval | some id in said.rules]
	count(common_approvers(asked, said.approval.approvers)) == 0
	reason := sprintf("no approver is named by all of these rules: %s", [concat(", ", said.rules)])
}

lowest(asked, name, _) := min(stated) if {
	stated := [terms[name] | some terms in asked]
	count(stated) > 0
}

lowest(asked, name, otherwise) := otherwise if count([1 | some terms in asked; terms[name]]) == 0

common_approvers(asked, _) := sort(intersection(named)) if {
	named := {{who | some who in terms.approvers} | some terms in asked}
	count(named) > 0
}

common_approvers(asked, otherwise) := otherwise if count([1 | some terms in asked; terms.approvers]) == 0
