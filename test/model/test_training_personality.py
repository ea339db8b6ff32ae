"""What a small run of stage 2 learns about who listens: D_A^P knows whose reaction it sees."""

from pathlib import Path

import pytest
import torch
import training_corpus as corpora

from perreactor_model.evaluation.ranking import rank_patterns
from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.training.launching import launched
from perreactor_model.training.loop import Run
from perreactor_model.training.overrides import build, read_words

pytestmark = pytest.mark.slow

WORDS = """
    data.clip_frames=64 data.others=4 data.inappropriate=1 data.samples=1 loss.pattern=1
    loss.realism=0 discriminator.instance_noise=0.1 optimiser.lr=1e-3
    optimiser.discriminator_lr=3e-3 loop.batch=16 loop.steps=200
""".split()


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """40 listeners who differ plainly, 3 times each, in either of two splits."""
    folder = tmp_path_factory.mktemp("people")
    return corpora.make_noise_corpus(folder, listeners=40, frames=70, manners=3.0)


def trained(stage: str, corpus: PreparedCorpus, out: Path, *words: str, gag: Path | None = None):
    options = build(stage, read_words([*corpora.TINY, *words]))
    Run(launched(options.loop), options, corpus, out, gag).go()
    return out / "last.ckpt"


def test_reactions_rank_higher_with_the_pattern_of_who_shows_them(people, one_thread, tmp_path):
    gag = trained("gag", people, tmp_path / "gag", "loop.steps=1")
    pag = trained("pag", people, tmp_path / "pag", *WORDS, gag=gag)
    content = torch.load(pag, weights_only=True)
    assert rank_patterns(content, people.splits["val"]).auc >= 0.7
