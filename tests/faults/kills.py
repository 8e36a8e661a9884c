"""The kill table: for each point, what clients were told and what became of it."""

from dataclasses import dataclass

MEANING = {
    "write.before-commit": "after the change, before COMMIT",
    "write.after-commit": "after COMMIT, before the answer",
    "relay.before-publish": "after COMMIT, before the fact is published",
    "relay.after-publish": "after the fact is published, before it is marked",
    "consumer.before-effect": "after delivery, before the effect",
    "consumer.after-effect": "after the effect, before the offset is committed",
}


@dataclass(frozen=True)
class Kills:
    """What came of killing at one point; `seconds` from the last start until all had arrived."""

    point: str
    repeats: int
    acknowledged: int
    lost: int
    doubled: int
    seconds: float


def table(rows: list[Kills]) -> list[str]:
    """The rows as a table in Markdown."""
    lines = [
        f"| {'killed':<48} | repeats | acknowledged | lost | doubled | all arrived within |",
        f"|{'-' * 50}|--------:|-------------:|-----:|--------:|-------------------:|",
    ]
    lines += [
        f"| {MEANING[row.point]:<48} | {row.repeats:>7} | {row.acknowledged:>12} |"
        f" {row.lost:>4} | {row.doubled:>7} | {row.seconds:>16.1f} s |"
        for row in rows
    ]
    return lines
