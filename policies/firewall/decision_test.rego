package firewall_test

import data.firewall

rule(effect, tests) := {"effect": effect, "reason": sprintf("%s it", [effect]), "approval": {}, "tests": tests, "resources": []}

held(approval) := object.union(rule("require_approval", []), {"approval": approval})

policy(rules, index) := {
	"revision": "sha256:r",
	"default": "deny",
	"default_reason": "no rule allows this",
	"default_terms": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
	"rules": rules,
	"index": index,
	"suffix_labels": [1],
	"path_segments": [0],
}

at(host, ids) := {host: {"GET": {"": ids}}}

question := {
	"action": {
		"agent": "bot",
		"agent_id": "agt_1",
		"service": "http",
		"operation": "GET",
		"kind": "read",
		"risk": "medium",
		"method": "GET",
		"methods": ["GET"],
		"resource": {"owner": "acme"},
		"host": "example.com",
		"canonical_path": "/a/b",
		"source": "proxy",
	},
	"agent": {"id": "agt_1", "name": "bot"},
	"context": {"time": "2026-01-01T00:00:00Z", "source_ip": "127.0.0.1", "counts": {}},
	"findings": [],
}

allowing := policy({"a": rule("allow", [])}, at("example.com", ["a"]))

test_no_policy_denies if {
	said := firewall.decision with input as question
	said.effect == "deny"
	said.revision == ""
}

test_no_input_denies if {
	said := firewall.decision with data.firewall.policy as allowing
	said.effect == "deny"
}

test_matching_rule_allows if {
	said := firewall.decision with input as question with data.firewall.policy as allowing
	said == {
		"effect": "allow",
		"revision": "sha256:r",
		"reason": "allow it",
		"rules": ["a"],
		"risk": "medium",
		"approval": {"quorum": 1, "approvers": ["role:approver"], "expires_in": 86400, "grant_for": 3600},
		"obligations": {},
	}
}

test_no_rule_gets_the_default if {
	other := json.patch(question, [{"op": "replace", "path": "/action/host", "value": "example.org"}])
	said := firewall.decision with input as other with data.firewall.policy as allowing
	said.effect == "deny"
	said.reason == "no rule allows this"
	said.rules == []
}

test_every_missing_key_denies if {
	every key in object.keys(question.action) {
		less := object.union(object.remove(question, ["action"]), {"action": object.remove(question.action, [key])})
		said := firewall.decision with input as less with data.firewall.policy as allowing
		said.effect == "deny"
		said.revision == "sha256:r"
		said.reason == "the question to the policy is not whole"
	}
	every key in object.keys(question) {
		said := firewall.decision with input as object.remove(question, [key]) with data.firewall.policy as allowing
		said.effect == "deny"
	}
}

test_strictest_wins if {
	rules := {"a": rule("allow", []), "d": rule("deny", []), "h": rule("require_approval", []), "z": rule("deny", [])}
	all := policy(rules, at("example.com", ["a", "d", "h", "z"]))
	said := firewall.decision with input as question with data.firewall.policy as all
	said.effect == "deny"
	said.rules == ["d", "z"]
	soft := policy(rules, at("example.com", ["a", "h"]))
	asked := firewall.decision with input as question with data.firewall.policy as soft
	asked.effect == "require_approval"
	asked.rules == ["h"]
}

test_unknown_effect_is_no_allow if {
	odd := policy({"a": rule("allow", []), "o": rule("maybe", [])}, at("example.com", ["a", "o"]))
	said := firewall.decision with input as question with data.firewall.policy as odd
	said.effect == "deny"
}

test_a_test_that_fails_unmatches if {
	tests := [{"field": "canonical_path", "pattern": "^/x$"}]
	picky := policy({"a": rule("allow", tests)}, at("example.com", ["a"]))
	said := firewall.decision with input as question with data.firewall.policy as picky
	said.effect == "deny"
}

test_resources_must_be_there_and_match if {
	every case in [["owner", "^acme$", "allow"], ["owner", "^other$", "deny"], ["repo", "^.*$", "deny"]] {
		only := object.union(rule("allow", []), {"resources": [{"name": case[0], "pattern": case[1]}]})
		said := firewall.decision with input as question with data.firewall.policy as policy({"a": only}, at("example.com", ["a"]))
		said.effect == case[2]
	}
}

taken_for(methods) := json.patch(question, [{"op": "replace", "path": "/action/methods", "value": methods}])

by_method(effect) := policy(
	{"a": rule("allow", []), "x": rule(effect, [])},
	{"example.com": {"GET": {"": ["a"]}, "DELETE": {"": ["x"]}}},
)

test_what_may_be_taken_for_another_method_is_allowed_as_both_or_not_at_all if {
	said := firewall.decision with input as taken_for(["GET", "DELETE"]) with data.firewall.policy as by_method("allow")
	said.effect == "deny"
	said.reason == "no rule allows this"
	both := policy({"a": rule("allow", [])}, {"example.com": {"GET": {"": ["a"]}, "DELETE": {"": ["a"]}}})
	allowed := firewall.decision with input as taken_for(["GET", "delete"]) with data.firewall.policy as both
	allowed.effect == "allow"
	any := firewall.decision with input as taken_for(["GET", "?"]) with data.firewall.policy as policy(
		{"a": rule("allow", [])},
		{"example.com": {"*": {"": ["a"]}}},
	)
	any.effect == "allow"
}

test_what_may_be_taken_for_another_method_is_held_or_denied_as_either if {
	every effect in ["deny", "require_approval"] {
		every methods in [["GET", "DELETE"], ["DELETE"], []] {
			said := firewall.decision with input as taken_for(methods) with data.firewall.policy as by_method(effect)
			said.effect == {true: effect, false: "allow"}["DELETE" in methods]
		}
	}
}

test_a_test_of_the_method_sees_each_of_them if {
	tests := [{"field": "method", "pattern": "^P.*$"}]
	globs := policy({"a": rule("allow", tests), "d": rule("deny", [{"field": "method", "pattern": "^PU.*$"}])}, {"example.com": {"*": {"": ["a", "d"]}}})
	posted := json.patch(question, [{"op": "replace", "path": "/action/method", "value": "POST"}])
	one := json.patch(posted, [{"op": "replace", "path": "/action/methods", "value": ["POST", "PATCH"]}])
	allowed := firewall.decision with input as one with data.firewall.policy as globs
	allowed.effect == "allow"
	other := json.patch(posted, [{"op": "replace", "path": "/action/methods", "value": ["POST", "PUT"]}])
	denied := firewall.decision with input as other with data.firewall.policy as globs
	denied.rules == ["d"]
	third := json.patch(posted, [{"op": "replace", "path": "/action/methods", "value": ["POST", "GET"]}])
	neither := firewall.decision with input as third with data.firewall.policy as globs
	neither.effect == "deny"
	neither.rules == []
}

test_api_actions_match_no_host if {
	submitted := json.patch(question, [{"op": "replace", "path": "/action/source", "value": "api"}])
	said := firewall.decision with input as submitted with data.firewall.policy as allowing
	said.effect == "deny"
	anywhere := policy({"a": rule("allow", [])}, at("", ["a"]))
	free := firewall.decision with input as submitted with data.firewall.policy as anywhere
	free.effect == "allow"
}

test_terms_are_the_strictest_stated if {
	rules := {
		"a": held({"quorum": 2, "expires_in": 600, "approvers": ["role:approver", "role:admin"]}),
		"b": held({"expires_in": 172800, "grant_for": 900, "approvers": ["role:admin"]}),
		"c": held({}),
	}
	asking := policy(rules, at("example.com", ["a", "b", "c"]))
	said := firewall.decision with input as question with data.firewall.policy as asking
	said.effect == "require_approval"
	said.approval == {"quorum": 2, "approvers": ["role:admin"], "expires_in": 600, "grant_for": 600}
}

test_no_common_approver_denies if {
	rules := {"a": held({"approvers": ["role:admin"]}), "b": held({"approvers": ["role:approver"]})}
	asking := policy(rules, at("example.com", ["a", "b"]))
	said := firewall.decision with input as question with data.firewall.policy as asking
	said.effect == "deny"
	said.reason == "no approver is named by all of these rules: a, b"
}

test_decisions_keep_their_order_and_do_not_touch_each_other if {
	said := firewall.decisions with input as {"batch": [question, {}, 5, question]} with data.firewall.policy as allowing
	[one.effect | some one in said] == ["allow", "deny", "deny", "allow"]
}
