# METADATA
# scope: subpackages
# title: Agent Action Firewall
# description: |
#   Decides about one action. Rules are data, compiled from the policy document by firewall/compile.py. The strictest rule that
#   matches wins; what no rule matches gets the document's default. A question that is not whole, or data that is not there, is denied.
package firewall

# METADATA
# title: Decision
# description: One question (input), one answer.
# entrypoint: true
default decision := {
	"effect": "deny",
	"revision": "",
	"reason": "no policy is loaded, or the question to it is not whole",
	"rules": [],
	"risk": "critical",
	"approval": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
	"obligations": {},
}

decision := judge(input)

# METADATA
# title: Decisions
# description: The same for an array of questions (input.batch), in their order.
# entrypoint: true
decisions := [judge(question) | some question in input.batch]

# The same words as above: a default value may not refer to another rule.
default judge(_) := {
	"effect": "deny",
	"revision": "",
	"reason": "no policy is loaded, or the question to it is not whole",
	"rules": [],
	"risk": "critical",
	"approval": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
	"obligations": {},
}

judge(question) := verdict(question.action, matching(question.action)) if whole(question)

judge(question) := answer("deny", "the question to the policy is not whole", [], "critical") if not whole(question)

verdict(action, matched) := answer(data.firewall.policy["default"], data.firewall.policy.default_reason, [], action.risk) if {
	count(matched) == 0
	data.firewall.policy["default"] in {"deny", "require_approval", "allow"}
}

verdict(action, matched) := decided if {
	effect := strictest({data.firewall.policy.rules[id].effect | some id in matched})
	winners := sort([id | some id in matched; data.firewall.policy.rules[id].effect == effect])
	said := answer(effect, data.firewall.policy.rules[winners[0]].reason, winners, action.risk)
	decided := with_terms(said)
}

strictest(effects) := "deny" if {
	"deny" in effects
} else := "require_approval" if {
	"require_approval" in effects
} else := "allow" if {
	effects == {"allow"}
}

answer(effect, reason, rules, risk) := {
	"effect": effect,
	"revision": data.firewall.policy.revision,
	"reason": reason,
	"rules": rules,
	"risk": risk,
	"approval": data.firewall.policy.default_terms,
	"obligations": {},
}
