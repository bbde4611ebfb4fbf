"""Small catalogs, written as texts, for tests."""

from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, Operation, Section, parse_facts, print_facts, revision_of
from firewall.classify.catalog.index import BinaryIndex

HEAD = "aaf-facts/1\nservice\t{}\ntitle\tForge\nsource\tby hand\ndate\t2026-01-01\nlicence\tMIT\n"
__all__ = ["Facts", "Operation", "Section", "facts", "index"]


def facts(*lines: str, service: str = "forge") -> Facts:
    """`at` and `op` lines with blanks for tabs (two blanks: nothing between the tabs); sorted here."""
    text = HEAD.format(service) + "".join(line.replace(" ", "\t") + "\n" for line in lines)
    sections: list[Section] = []
    selves: list[str] = []
    for line in text.splitlines()[6:]:
        word, *rest = line.split("\t")
        if word == "at":
            sections.append(Section(hosts=tuple(rest[0].split(",")), base=rest[1]))
        elif word == "self":
            selves.append(rest[0])
        else:
            one = parse_facts(HEAD.format(service) + "at\ta.test\t/\n" + line + "\n").sections[0].operations
            last = sections[-1]
            sections[-1] = Section(hosts=last.hosts, base=last.base, operations=last.operations + one)
    made = Facts(
        service=service, title="Forge", source="by hand", date="2026-01-01", licence="MIT", sections=tuple(sections),
        selves=tuple(selves),
    )  # fmt: skip
    return parse_facts(print_facts(made))


def index(*catalogs: Facts) -> BinaryIndex:
    return BinaryIndex(build((each, revision_of(print_facts(each))) for each in catalogs))
