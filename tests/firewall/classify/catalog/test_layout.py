from firewall.classify.catalog.layout import (
    CHECKED,
    HEAD,
    KIND,
    KINDS,
    Way,
    host_key,
    literal_key,
    method_key,
    suffix_key,
    verb_key,
)


def test_the_keys_of_edges_of_one_node_differ_by_their_sort() -> None:
    """A segment, a method and a verb hold no control character."""
    assert len({literal_key("get"), verb_key("get"), method_key("get")}) == 3
    assert host_key("a.test") != suffix_key("a.test")


def test_a_kind_has_room_in_the_flags() -> None:
    assert len(KINDS) <= KIND + 1


def test_the_check_sum_stands_before_what_it_counts() -> None:
    assert HEAD.size > CHECKED == 16 + 32 + 4


def test_ways_are_in_the_order_of_preference() -> None:
    assert list(Way) == [Way.VERB, Way.PART, Way.ONE, Way.ANY, Way.MANY_PART, Way.MANY, Way.LAST]
