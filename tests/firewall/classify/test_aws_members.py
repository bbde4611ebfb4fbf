from firewall.classify.aws_members import members_of


def test_only_members_that_an_operation_requires_say_what_it_is_done_to() -> None:
    assert members_of("dynamodb:GetItem") == ("TableName",)
    assert members_of("dynamodb:BatchGetItem") == ()
    assert members_of("nobody:Knows") == ()
