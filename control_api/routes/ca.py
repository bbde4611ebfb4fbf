"""The interception CA's certificate, for clients to trust. No key: it is public."""

from control_api.faults import Unavailable
from control_api.route import Answer, Call


async def show(call: Call) -> Answer:
    pem = await call.context.reads.ca_pem()
    if pem is None:
        raise Unavailable("the CA is created when the first gateway starts")
    return Answer(content=pem.encode())
