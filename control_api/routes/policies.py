"""Policy revisions, their schemas, and a check of a document. Editing and activating come with the policy lifecycle."""

import orjson

from control_api import cursor
from control_api.models import Page, Policies, PolicyChecked, PolicyDocument, PolicyProblem, PolicyShown
from control_api.route import Answer, Call
from firewall import policy, question


async def listed(call: Call) -> Answer:
    query: Page = call.query
    rows = await call.context.reads.policies(before=cursor.instant(query.cursor), limit=query.limit + 1)
    rows, next_cursor = cursor.page(rows, query.limit, lambda row: row.created_at.isoformat())
    data = [
        PolicyShown(
            revision=row.revision,
            active=row.activated_at is not None,
            activated_at=row.activated_at,
            author=row.author,
            message=row.message,
            created_at=row.created_at,
            document=row.document,
        )
        for row in rows
    ]
    return Answer(content=Policies(data=data, next_cursor=next_cursor))


async def check(call: Call) -> Answer:
    given: PolicyDocument = call.body
    try:
        compiled = policy.compile_policy(policy.load(given.document), call.context.modules)
    except policy.BadPolicy as error:
        problems = [PolicyProblem(line=each.line, path=each.path, message=each.message) for each in error.problems]
        return Answer(content=PolicyChecked(valid=False, revision=None, problems=problems))
    return Answer(content=PolicyChecked(valid=True, revision=compiled.revision, problems=[]))


async def document_schema(_call: Call) -> Answer:
    return Answer(content=orjson.dumps(policy.schema()))


async def input_schema(_call: Call) -> Answer:
    return Answer(content=orjson.dumps(question.schema()))
