"""Where profiles are looked for, what hides what, and that looking again costs nothing."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ListenerProfile, ProfileError, ProfileStore, profile_folder


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of profiles."""
    monkeypatch.setenv("PERREACTOR_PROFILES", str(tmp_path / "mine"))
    return tmp_path / "mine"


def profile(bundle: Bundle, name: str = "alice", value: float = 1.0) -> ListenerProfile:
    pattern = np.full(bundle.config.feature_size, value, np.float32)
    return ListenerProfile(name, bundle.model_id, pattern)


def test_the_users_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert profile_folder("m-0") == tmp_path / "mine" / "m-0"
    monkeypatch.delenv("PERREACTOR_PROFILES")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert profile_folder("m-0") == Path("/data/perreactor/profiles/m-0")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert profile_folder("m-0") == Path.home() / ".local/share/perreactor/profiles/m-0"


def test_the_users_profiles_are_found_without_being_told_where(tiny_bundle: Bundle) -> None:
    store = ProfileStore(tiny_bundle)
    profile(tiny_bundle).save(profile_folder(tiny_bundle.model_id))
    assert "alice" in store.names()
    assert store.get("alice").pattern[0] == 1.0


def test_a_given_folder_comes_before_the_bundles_own_and_that_before_the_users(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    profile(tiny_bundle, "warm", 2.0).save(profile_folder(tiny_bundle.model_id))
    own = ProfileStore(tiny_bundle).get("warm")
    assert own.provenance["kind"] == "synthetic history"
    profile(tiny_bundle, "warm", 3.0).save(tmp_path / "given")
    assert ProfileStore(tiny_bundle, [tmp_path / "given"]).get("warm").pattern[0] == 3.0
    profile(tiny_bundle, "warm", 4.0).save(tmp_path / "last")
    store = ProfileStore(tiny_bundle, [tmp_path / "given", tmp_path / "last"])
    assert store.get("warm").pattern[0] == 4.0
    assert store.files()["warm"] == tmp_path / "last" / "warm.json"


def test_a_given_folder_may_hold_a_folder_for_each_bundle(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    profile(tiny_bundle).save(tmp_path / "given" / tiny_bundle.model_id)
    store = ProfileStore(tiny_bundle, [tmp_path / "given"])
    assert store.get("alice").name == "alice"
    assert "alice" in store.names()


def test_one_name_may_exist_for_several_bundles(
    tiny_bundle: Bundle, tiny_attributes_bundle: Bundle
) -> None:
    for bundle, value in ((tiny_bundle, 1.0), (tiny_attributes_bundle, 2.0)):
        profile(bundle, value=value).save(profile_folder(bundle.model_id))
    assert ProfileStore(tiny_bundle).get("alice").pattern[0] == 1.0
    assert ProfileStore(tiny_attributes_bundle).get("alice").pattern[0] == 2.0


def test_a_profile_of_another_bundle_is_named_with_how_to_make_it_for_this_one(
    tiny_bundle: Bundle, tiny_attributes_bundle: Bundle
) -> None:
    other = tiny_attributes_bundle.model_id
    profile(tiny_attributes_bundle).save(profile_folder(other))
    with pytest.raises(
        ProfileError, match=f"exists for bundle {other}, not for .*profile create alice --bundle"
    ):
        ProfileStore(tiny_bundle).get("alice")


def test_an_unchanged_file_is_not_parsed_again_and_a_changed_one_is(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = profile_folder(tiny_bundle.model_id)
    path = profile(tiny_bundle).save(folder)
    parsed = []
    load = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or load(text))
    store = ProfileStore(tiny_bundle)
    for _ in range(5):
        assert store.get("alice").pattern[0] == 1.0
    assert len(parsed) == 1
    profile(tiny_bundle, value=2.0).save(folder)
    os.utime(path, ns=(1, 1))  # whatever the clock says, it is another file
    assert store.get("alice").pattern[0] == 2.0
    assert len(parsed) == 2
    path.unlink()
    with pytest.raises(ProfileError, match="unknown profile 'alice'"):
        store.get("alice")


def test_a_file_that_broke_is_refused_though_it_was_good_before(tiny_bundle: Bundle) -> None:
    path = profile(tiny_bundle).save(profile_folder(tiny_bundle.model_id))
    store = ProfileStore(tiny_bundle)
    store.get("alice")
    path.write_text("{")
    with pytest.raises(ProfileError, match=r"alice\.json"):
        store.get("alice")


@pytest.mark.parametrize("name", ["../alice", "a/b", "", "..", "*", "x" * 5000, "\0", "alice\n"])
def test_no_file_outside_the_folders_is_looked_for(
    tiny_bundle: Bundle, mine: Path, name: str
) -> None:
    profile(tiny_bundle).save(mine)
    with pytest.raises(ProfileError, match="unknown profile"):
        ProfileStore(tiny_bundle).get(name)


def test_a_profile_is_written_whole_or_not_at_all(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(tiny_bundle).save(tmp_path)

    def full_disk(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:20].encode())
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space"):
        profile(tiny_bundle, value=2.0).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["alice.json"]
    assert ListenerProfile.load(tmp_path / "alice.json").pattern[0] == 1.0


def test_only_what_can_be_used_is_readable(tiny_bundle: Bundle) -> None:
    folder = profile_folder(tiny_bundle.model_id)
    profile(tiny_bundle).save(folder)
    (folder / "broken.json").write_text("[]")
    names = [each.name for each in ProfileStore(tiny_bundle).readable()]
    assert names == ["alice", "lively", "reserved", "stoic", "warm"]


def test_a_home_that_does_not_exist_is_told_with_the_remedy(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERREACTOR_PROFILES", "~nobody_of_this_name/profiles")
    with pytest.raises(ProfileError, match="set PERREACTOR_PROFILES"):
        ProfileStore(tiny_bundle).names()


def test_a_users_folder_that_may_not_be_read_leaves_the_bundles_own_profiles(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profile_folder(tiny_bundle.model_id)

    def guarded(genuine):  # permissions do not bind the superuser, who may run this
        def ask(path: Path) -> bool:
            if path.is_relative_to(mine):
                raise PermissionError(13, "Permission denied", str(path))
            return genuine(path)

        return ask

    monkeypatch.setattr(Path, "is_dir", guarded(Path.is_dir))
    monkeypatch.setattr(Path, "exists", guarded(Path.exists))
    store = ProfileStore(tiny_bundle)
    assert "warm" in store.names()
    assert store.get("warm").name == "warm"
    with pytest.raises(ProfileError, match="cannot be read: Permission denied"):
        store.get("alice")
