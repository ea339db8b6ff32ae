"""From a history to a pattern: the bundle's own encoder, windows, and no more kept than needed."""

import json

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.bundle.synthetic import LISTENERS, listener_history
from perreactor_model.profiles import (
    HistoryRefused,
    ListenerHistory,
    ProfileError,
    ProfileStore,
    make_profile,
)
from perreactor_model.profiles.comparison import similarity
from perreactor_model.streaming.runtime import load_graph


def history(frames: int = 480, listener: str = "warm", seed: int = 0) -> ListenerHistory:
    rows = listener_history(LISTENERS[listener], np.random.default_rng(seed), frames)
    return ListenerHistory(rows, {"kind": "video", "file": "alice.mp4"})


def encoded(bundle: Bundle, rows: np.ndarray) -> np.ndarray:
    return load_graph(bundle, "pattern_encoder", "cpu").run(["pattern"], {"history": rows})[0]


def test_up_to_480_frames_are_one_window(tiny_bundle: Bundle) -> None:
    for frames in (300, 480):
        given = history(frames)
        made = make_profile("alice", given, tiny_bundle)
        assert np.allclose(made.pattern, encoded(tiny_bundle, given.rows), atol=1e-5)
        assert made.provenance["windows"] == 1
        assert made.provenance["frames"] == frames


def test_longer_histories_are_averaged_over_windows(tiny_bundle: Bundle) -> None:
    given = history(1000)
    made = make_profile("alice", given, tiny_bundle)
    starts = (0, 240, 480, 520)
    mean = np.mean([encoded(tiny_bundle, given.rows[k : k + 480]) for k in starts], axis=0)
    assert made.provenance["windows"] == 4
    assert np.allclose(made.pattern, mean / np.sqrt(np.mean(mean**2)), atol=1e-4)
    assert np.sqrt(np.mean(made.pattern**2)) == pytest.approx(1.0, abs=1e-5)


def test_the_same_history_gives_the_same_pattern_to_the_bit(tiny_bundle: Bundle) -> None:
    first, second = (make_profile("alice", history(1000), tiny_bundle) for _ in range(2))
    assert first.pattern.tobytes() == second.pattern.tobytes()


def test_a_listeners_patterns_are_more_alike_than_those_of_two_listeners(
    tiny_bundle: Bundle,
) -> None:
    one, again, other = (
        make_profile("alice", history(900, listener, seed), tiny_bundle)
        for listener, seed in (("warm", 1), ("warm", 2), ("reserved", 3))
    )
    assert similarity(one, again).cosine > similarity(one, other).cosine + 0.3


def test_a_profile_says_where_it_comes_from_and_holds_no_history(tiny_bundle: Bundle) -> None:
    made = make_profile("alice", history(1000), tiny_bundle)
    told = made.provenance
    assert made.bundle == tiny_bundle.model_id
    assert told["source"] == {"kind": "video", "file": "alice.mp4"}
    assert told["seconds"] == 40.0
    assert told["quality"]["verdict"] == "ok"
    assert told["traits"]["smile_share"] > 0.1
    assert told["made_with"].startswith("perreactor ")
    assert "history" not in told
    assert len(json.dumps(told)) < 6000


def test_a_made_profile_can_be_chosen_at_once(
    tiny_bundle: Bundle, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERREACTOR_PROFILES", str(tmp_path))
    store = ProfileStore(tiny_bundle)
    made = make_profile("alice", history(), tiny_bundle)
    made.save(tmp_path / tiny_bundle.model_id)
    assert store.get("alice").pattern.tobytes() == made.pattern.tobytes()
    store.check("alice:0.5+stoic:0.5")


def test_a_refusal_names_the_profile_and_carries_the_report(tiny_bundle: Bundle) -> None:
    with pytest.raises(HistoryRefused, match="no profile 'alice' .* it lasts 4.0 s") as caught:
        make_profile("alice", history(100), tiny_bundle)
    assert caught.value.quality.verdict == "refused"
    assert isinstance(caught.value, ProfileError)


@pytest.mark.parametrize("name", ["generic", "two words", "", "../up", "x" * 65])
def test_a_name_that_cannot_be_is_refused_before_anything_is_done(
    tiny_bundle: Bundle, name: str
) -> None:
    with pytest.raises(ProfileError, match="cannot name a profile"):
        make_profile(name, history(10), tiny_bundle)


def test_who_passes_by_changes_nothing(tiny_bundle: Bundle) -> None:
    rows = np.concatenate([history(480).rows, history(30, "lively", 5).rows])
    person = np.repeat([1, 2], [480, 30]).astype(np.int32)
    mixed = make_profile("alice", ListenerHistory(rows, {}, person), tiny_bundle)
    alone = make_profile("alice", history(480), tiny_bundle)
    assert mixed.pattern.tobytes() == alone.pattern.tobytes()
