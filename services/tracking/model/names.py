"""Names for runs that were given none."""

import random
from typing import Final

_QUALITIES: Final = """
agile amber brave bright calm careful cheerful clear clever cosmic crisp curious daring deep eager
early fair fast gentle glad golden grand happy honest humble ivory jolly keen kind lively lucky
mellow merry mighty neat nimble noble patient polite proud quick quiet rapid ready rustic serene
sharp shiny silent silver smooth snowy solid steady sunny swift tidy vivid warm wise witty young
"""
_THINGS: Final = """
acorn alder aspen aurora badger beacon birch brook canyon cedar cliff cloud comet coral crane creek
delta dune eagle ember falcon fern fjord forest glacier grove harbor hawk heron hill island juniper
lagoon lake larch lark maple meadow meteor moon oak ocean orchid otter owl pebble pine planet
prairie quartz raven reef ridge river robin shore spruce star stone summit swan tide valley willow
wren
"""


def made_up_name() -> str:
    """A name to remember a run by: `calm-otter-417`; nothing that must not be guessed."""
    quality, thing = random.choice(_QUALITIES.split()), random.choice(_THINGS.split())  # noqa: S311
    return f"{quality}-{thing}-{random.randrange(1000)}"  # noqa: S311
