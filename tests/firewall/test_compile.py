from firewall.compile import CROWD, RuleData, canonical_json, compile_rules


def test_a_rule_is_found_by_host_and_method() -> None:
    rules = (
        RuleData(id="exact", effect="allow", hosts=("a.b", "*.c.d"), methods=("GET", "HEAD")),
        RuleData(id="glob", effect="deny", hosts=("**",), methods=("P*",)),
        RuleData(id="any", effect="deny", paths=("/x/**",)),
    )
    data = compile_rules("deny", rules)
    assert data["index"] == {
        "a.b": {"GET": {"": ["exact"]}, "HEAD": {"": ["exact"]}},
        ".c.d": {"GET": {"": ["exact"]}, "HEAD": {"": ["exact"]}},
        ".": {"*": {"": ["glob"]}},
        "": {"*": {"": ["any"]}},
    }
    assert (data["suffix_labels"], data["path_segments"]) == ([0, 2], [0])
    assert [test["field"] for test in data["rules"]["exact"]["tests"]] == ["host"]
    assert [test["field"] for test in data["rules"]["glob"]["tests"]] == ["host", "method"]
    assert [test["field"] for test in data["rules"]["any"]["tests"]] == ["canonical_path"]


def test_resources_are_tests_of_every_part_for_an_allow_and_of_any_for_the_rest() -> None:
    resources = {"repo": ("r",), "owner": ("acme", "o*")}
    rules = tuple(RuleData(id=effect, effect=effect, resources=resources) for effect in ("allow", "deny"))
    data = compile_rules("deny", rules)["rules"]
    assert data["allow"]["resources"] == [
        {"name": "owner", "pattern": "(?s)^(?:acme|o[^,]*)(?:,(?:acme|o[^,]*))*$"},
        {"name": "repo", "pattern": "(?s)^(?:r)(?:,(?:r))*$"},
    ]
    assert data["deny"]["resources"][0] == {"name": "owner", "pattern": "(?s)(?:^|,)(?:acme|o.*)(?:,|$)"}


def test_a_crowd_at_one_host_and_method_is_told_apart_by_path() -> None:
    rules = tuple(
        RuleData(id=f"r{i}", effect="allow", hosts=("a.b",), methods=("GET",), paths=(f"/p/{i}/**",)) for i in range(CROWD + 1)
    )
    data = compile_rules("deny", rules)
    assert data["path_segments"] == [0, 1, 2]
    assert data["index"]["a.b"]["GET"]["/p/3"] == ["r3"]


def test_a_rule_without_a_reason_gets_one() -> None:
    assert compile_rules("deny", (RuleData(id="x", effect="deny"),))["rules"]["x"]["reason"] == "the rule x denies this"


def test_canonical_json_is_ascii_sorted_and_tight() -> None:
    assert canonical_json({"b": "ü", "a": [1, None, True]}) == b'{"a":[1,null,true],"b":"\\u00fc"}'
