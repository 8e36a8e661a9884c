"""The corpus knows its own search results."""

from tests.load.content import METRICS, PARAMS, TAGS, Corpus


def test_the_corpus_is_the_same_each_time() -> None:
    assert Corpus.of(20) == Corpus.of(20)
    run = Corpus.of(1).runs[0]
    assert (len(run.metrics), len(run.params), len(run.tags)) == (METRICS, PARAMS, TAGS)


def test_hits_are_those_that_a_plain_look_finds() -> None:
    corpus = Corpus.of(300)
    for bound, value in ((0.0, "v0"), (0.37, "v3"), (0.9, "v9"), (1.0, "v1")):
        plain = [r for r in corpus.runs if r.metrics[1] > bound and r.params[1] == value]
        best = max(plain, key=lambda run: run.metrics[2], default=None)
        assert corpus.hits(bound, value) == len(plain)
        assert corpus.best_hit(bound, value) == best
