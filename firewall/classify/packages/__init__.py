"""Package registries, by the form of what their protocols ask for, or because the operator says that one is spoken (`dialects`).

A form gives a name, never mildness: whoever shapes a request can give it this form. What a catalog describes keeps its name.
"""

from firewall.classify.packages.dialects import Packages as Packages
