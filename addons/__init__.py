"""The path of one request, one step a file. `PATH` is the order; `guard` runs it under mitmproxy's hooks.

Each step sees only what earlier ones established. A step that raises, whatever it raises, ends the request with a refusal
that names it; only `release` lifts the 403 that `arrest` put on the flow.
"""

from addons.arrest import Arrest
from addons.authenticate import Authenticate
from addons.classify import Classify
from addons.decide import Decide
from addons.hold import Hold
from addons.inspect import Inspect
from addons.locate import Locate
from addons.passage import Step
from addons.record import Record
from addons.release import Release
from addons.settle import Settle

PATH: tuple[type[Step], ...] = (Arrest, Authenticate, Classify, Inspect, Decide, Locate, Hold, Record, Release, Settle)
