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
	"reason": "no policy is loaded",
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
	"reason": "no policy is loaded",
	"rules": [],
	"risk": "critical",
	"approval": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
	"obligations": {},
}

judge(question) := said if {
	whole(question)
	said := verdict(question.action.risk, matching(question.action))
} else := answer("deny", "the question to the policy is not whole", [], "critical") if {
	not whole(question)
}

verdict(risk, matched) := answer(effect, data.firewall.policy.default_reason, [], risk) if {
	count(matched) == 0
	effect := data.firewall.policy["default"]
	effect in {"deny", "require_approval", "allow"}
} else := with_terms(answer(effect, data.firewall.policy.rules[winners[0]].reason, winners, risk)) if {
	effects := {id: data.firewall.policy.rules[id].effect | some id in matched}
	effect := strictest({said | some said in effects})
	winners := sort([id | some id, said in effects; said == effect])
}

# An effect that nobody knows beside an allow is no allow.
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
