"""What an agent's program does with vendors' own SDKs, one function each: `python -m tests.e2e.sdk_calls NAME`. It knows nothing of
the firewall; proxy and CA come from the environment (`aaf run`)."""

import asyncio
import os
import sys


def github() -> None:
    from github import Auth, Github

    with Github(auth=Auth.Token("ghp_" + "x" * 36), retry=None) as client:
        repo = client.get_repo("octo/hello")
        repo.create_issue("It is broken", body="Please mend it")
        repo.get_contents("docs/a b.md")
        repo.delete()


def github_graphql() -> None:
    from gql import Client, gql
    from gql.transport.requests import RequestsHTTPTransport

    transport = RequestsHTTPTransport("https://api.github.com/graphql", headers={"Authorization": "Bearer x"}, retries=0)
    with Client(transport=transport) as session:
        session.execute(gql("query { viewer { login } }"))
        session.execute(
            gql("mutation Close($id: ID!) { done: closeIssue(input: {issueId: $id}) { clientMutationId } }"),
            variable_values={"id": "I_1"},
        )


def aws() -> None:
    import boto3
    from botocore.config import Config

    session = boto3.Session(aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="x", region_name="eu-west-1")
    quick = Config(retries={"total_max_attempts": 1})
    s3 = session.client("s3", config=quick)
    s3.put_object(Bucket="backups", Key="2026/a b.txt", Body=b"data")
    s3.list_objects_v2(Bucket="backups", Prefix="2026/")
    s3.delete_bucket(Bucket="backups")
    session.client("dynamodb", config=quick).get_item(TableName="orders", Key={"id": {"S": "1"}})
    session.client("ec2", config=quick).terminate_instances(InstanceIds=["i-0123456789abcdef0"])
    session.client("iam", config=quick).create_access_key(UserName="eve")
    session.client("sqs", config=quick).send_message(QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/q", MessageBody="hi")
    session.client("lambda", config=quick).invoke(FunctionName="report", Payload=b"{}")


def stripe() -> None:
    import stripe

    # Its own list of CAs is what it trusts unless it is told otherwise.
    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
    stripe.max_network_retries = 0
    client = stripe.StripeClient("sk_test_x")
    client.v1.customers.list()
    client.v1.refunds.create({"charge": "ch_1", "amount": 500})


def slack() -> None:
    from slack_sdk import WebClient

    client = WebClient(token="xoxb-1")
    client.conversations_list()
    client.chat_postMessage(channel="C1", text="hello")


def openai() -> None:
    from openai import OpenAI

    with OpenAI(api_key="sk-x", max_retries=0) as client:
        client.models.list()
        client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])
        client.responses.create(model="gpt-x", input="hi", tools=[{"type": "web_search"}])


def anthropic() -> None:
    from anthropic import Anthropic

    with Anthropic(api_key="sk-ant-x", max_retries=0) as client:
        client.messages.create(model="claude-x", max_tokens=10, messages=[{"role": "user", "content": "hi"}])
        client.messages.count_tokens(model="claude-x", messages=[{"role": "user", "content": "hi"}])


def google() -> None:
    from googleapiclient.discovery import build

    storage = build("storage", "v1", developerKey="x", static_discovery=True)
    storage.objects().get(bucket="b", object="folder/a b.txt").execute()
    storage.objects().delete(bucket="b", object="folder/a b.txt").execute()
    sheets = build("sheets", "v4", developerKey="x", static_discovery=True)
    # Longer than 2,048 characters: sent by POST, with the method that is meant in a header.
    sheets.spreadsheets().get(spreadsheetId="s1", ranges=[f"Sheet{number}!A1:Z99" for number in range(200)]).execute()


def mcp() -> None:
    asyncio.run(_mcp())


async def _mcp() -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client("https://mcp.test/mcp") as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        await session.list_tools()
        answer = await session.call_tool("add", {"a": 2, "b": 3})
        print(answer.content[0].text)  # type: ignore[union-attr]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
