"""`perreactor profile`: make listener profiles from people, look at them, compare, delete."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perreactor_model.bundle.manifest import DEFAULT_BUNDLE, Bundle
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.telling import (
    made_from,
    made_of,
    made_when,
    quality_lines,
    table,
    verdict_of,
)
from perreactor_model.shown_progress import shown_progress
from perreactor_model.whole_files import tidy_when_ended

if TYPE_CHECKING:
    from perreactor_model.profiles.comparison import Average
    from perreactor_model.profiles.history import ListenerHistory
    from perreactor_model.profiles.profile import ListenerProfile
    from perreactor_model.profiles.shelf import ShelfEntry

_GREY = "\033[90m{}\033[0m"

_NO_TRAITS = "No traits were kept with this profile: only its pattern can be compared."
_NO_AVERAGE = "There is no average to compare with: this bundle knows too few other listeners."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's subcommands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = _add(commands, "create", _create, "make a profile from 10 s or more of a person")
    create.add_argument("name", metavar="NAME")
    source = create.add_mutually_exclusive_group(required=True)
    source.add_argument("--video", type=Path, metavar="F", help="a video of the person listening")
    source.add_argument(
        "--attributes", type=Path, metavar="F", help=".csv, .npy or .npz of facial attributes"
    )
    source.add_argument("--bag", type=Path, metavar="B", help="a bag; see --topic")
    create.add_argument(
        "--topic", metavar="T", help="where the bag shows the person: behaviour or a camera"
    )
    create.add_argument(
        "--person",
        metavar="N",
        help="whom to take where several are seen; 1,3 or all: they are the same person",
    )
    create.add_argument(
        "--keep-history",
        action="store_true",
        help="keep the measured attributes too (NAME.history.npz), to make it anew from",
    )
    create.add_argument("--replace", action="store_true", help="put it in place of an older one")
    create.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to keep it (default: the user's folder)"
    )
    _add(commands, "list", _list, "all profiles, and which of them fit the bundle", folder=True)
    show = _add(commands, "show", _show, "how a listener differs from the average", folder=True)
    show.add_argument("name", metavar="NAME")
    show.add_argument("--out", type=Path, metavar="F.png", help="picture (default: NAME.png)")
    compare = _add(commands, "compare", _compare, "two listeners side by side", folder=True)
    compare.add_argument("first", metavar="A")
    compare.add_argument("second", metavar="B")
    compare.add_argument("--out", type=Path, metavar="F.png", help="also draw a picture")
    delete = _add(commands, "delete", _delete, "delete a profile of your own", folder=True)
    delete.add_argument("name", metavar="NAME")
    delete.add_argument(
        "--all-bundles", action="store_true", help="also those made for other bundles"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the subcommand says. Raises ValueError, OSError for what the user can put right."""
    action: Callable[[argparse.Namespace, Bundle], int] = arguments.call
    with tidy_when_ended():
        return action(arguments, Bundle.load(arguments.bundle))


def _add(
    commands: Any,
    name: str,
    call: Callable[[argparse.Namespace, Bundle], int],
    summary: str,
    folder: bool = False,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(call=call, folder=None)
    parser.add_argument(
        "--bundle", default=DEFAULT_BUNDLE, help="folder or name (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one object on stdout")
    if folder:
        parser.add_argument(
            "--folder", type=Path, help="a folder of profiles beside the bundle's and the user's"
        )
    return parser


# --- create --------------------------------------------------------------------------------------


def _create(arguments: argparse.Namespace, bundle: Bundle) -> int:
    from perreactor_model.profiles import HistoryRefused, judge, make_profile
    from perreactor_model.profiles.shelf import check_free, keep
    from perreactor_model.profiles.sources import choose_people

    name = arguments.name
    folder = check_free(name, bundle, arguments.out, arguments.replace)
    if arguments.topic is not None and arguments.bag is None:
        raise ProfileError("--topic names a topic of a bag: give --bag too")
    history = choose_people(_history(arguments), arguments.person)
    try:
        profile = make_profile(name, history, bundle, arguments.keep_history)
    except HistoryRefused as refusal:
        if arguments.json:
            print(json.dumps({"made": False, "quality": refusal.quality.to_dict()}))
        else:
            print("\n".join(quality_lines(refusal.quality)))
        print(f"perreactor: error: {refusal}", file=sys.stderr)
        return 2
    path = keep(profile, folder, history if arguments.keep_history else None)
    if not bundle.trained:
        print(f"perreactor: warning: {_untrained(bundle, name)}", file=sys.stderr)
    told = profile.provenance
    command = f"ros2 param set /robot_a/reactor listener_profile {name}"
    if arguments.json:
        record = {"made": True, "name": name, "path": str(path), "bundle": profile.bundle}
        record |= {"trained": bundle.trained, "command": command}
        print(json.dumps({**record, **{key: told[key] for key in _TOLD}}))
        return 0
    print(f"{name}: made from {told['seconds']} s of {made_of(profile)}, for {profile.bundle}")
    print("\n".join(f"  {line}" for line in quality_lines(judge(history))))
    kept = "the pattern, traits and where it comes from; no pictures, no sound"
    if "history" in told:
        kept += f"; beside it the measured attributes, {told['history']}"
    print(f"  kept       {path}\n             ({kept})")
    nodes = f"   (nodes whose parameter profiles is {arguments.out})" if arguments.out else ""
    print(f"  use it     {command}{nodes}")
    print(f"  look at it perreactor profile show {name}{_options(arguments)}")
    return 0


_TOLD = ("seconds", "frames", "windows", "quality", "traits", "source")


def _untrained(bundle: Bundle, name: str) -> str:
    return (
        f"bundle {bundle.name} is untrained: its patterns mean nothing yet, its robots do not "
        f"react like {name}"
    )


def _options(arguments: argparse.Namespace) -> str:
    """What another command needs to find the same profile."""
    bundle = "" if arguments.bundle == DEFAULT_BUNDLE else f" --bundle {arguments.bundle}"
    return bundle + (f" --folder {arguments.out}" if arguments.out else "")


def _history(arguments: argparse.Namespace) -> ListenerHistory:
    from perreactor_model.profiles import sources

    if arguments.attributes is not None:
        return sources.history_of_attributes(arguments.attributes)
    with shown_progress("looking at the face") as progress:
        if arguments.video is not None:
            return sources.history_of_video(arguments.video, progress)
        return sources.history_of_bag(arguments.bag, arguments.topic, progress)


# --- list and delete -----------------------------------------------------------------------------


def _list(arguments: argparse.Namespace, bundle: Bundle) -> int:
    from perreactor_model.profiles.shelf import entries

    found = entries(bundle, arguments.folder)
    if arguments.json:
        print(json.dumps({"bundle": bundle.model_id, "profiles": [_record(e) for e in found]}))
        return 0
    head = ("NAME", "KEPT", "SECONDS", "QUALITY", "MADE", "BUNDLE")
    lines = table([head, *(_cells(entry) for entry in found)])
    print(lines[0])
    for entry, line in zip(found, lines[1:], strict=True):
        print(line if entry.fits or not sys.stdout.isatty() else _GREY.format(line))
    if any(not entry.fits for entry in found):
        print(f"* not for {bundle.model_id}; make it anew with --bundle")
    return 0


def _cells(entry: ShelfEntry) -> tuple[str, ...]:
    told = entry.provenance
    return (
        entry.name + ("" if entry.fits else " *"),
        entry.place,
        str(told.get("seconds", "-")),
        "unreadable" if entry.trouble else verdict_of(told),
        str(told.get("made", "-"))[:10],
        entry.bundle,
    )


def _record(entry: ShelfEntry) -> dict[str, Any]:
    told = entry.provenance
    return {
        "name": entry.name,
        "place": entry.place,
        "path": str(entry.path),
        "bundle": entry.bundle,
        "fits": entry.fits,
        "seconds": told.get("seconds"),
        "verdict": None if verdict_of(told) == "-" else verdict_of(told),
        "made": told.get("made"),
        "trouble": entry.trouble or None,
    }


def _delete(arguments: argparse.Namespace, bundle: Bundle) -> int:
    from perreactor_model.profiles.shelf import delete

    gone = delete(arguments.name, bundle, arguments.folder, arguments.all_bundles)
    if arguments.json:
        print(json.dumps({"deleted": [str(path) for path in gone]}))
    else:
        print("\n".join(f"deleted {path}" for path in gone))
    return 0


# --- show and compare ----------------------------------------------------------------------------


def _show(arguments: argparse.Namespace, bundle: Bundle) -> int:
    from perreactor_model.profiles.comparison import nearest, traits_of, units_of
    from perreactor_model.profiles.figure import Sheet, draw_listeners
    from perreactor_model.profiles.wording import signed, summary

    profile, known = _one(bundle, arguments.folder, arguments.name)
    average = _average(bundle, known, {profile.name})
    traits, alike = traits_of(profile), nearest(profile, known)
    told = _NO_AVERAGE if traits else _NO_TRAITS
    if traits and average:
        told = summary(traits, average.traits, profile.name, average.whom)
    picture = arguments.out or Path(f"{profile.name}.png")
    warning = _warning(bundle)
    sheet = Sheet(profile.name, told, (made_from(profile), made_when(profile)), warning)
    draw_listeners(picture, sheet, [_portrayed(profile)], average, alike)
    if arguments.json:
        record: dict[str, Any] = {
            "name": profile.name,
            "bundle": profile.bundle,
            "picture": str(picture),
            "traits": traits,
            "units": units_of(profile),
            "average": None if average is None else vars(average),
            "provenance": profile.provenance,
        }
        print(json.dumps({**record, "alike": {name: vars(found) for name, found in alike}}))
        return 0
    print(told)
    print(f"  {made_from(profile)}\n  {made_when(profile)}")
    for line in _trait_lines([profile], average):
        print(f"  {line}")
    for name, found in alike:
        print(f"  pattern beside {name}: cosine {signed(found.cosine)}")
    print(f"  picture: {picture}")
    return 0


def _compare(arguments: argparse.Namespace, bundle: Bundle) -> int:
    from perreactor_model.profiles.comparison import similarity, traits_of
    from perreactor_model.profiles.figure import Sheet, draw_listeners
    from perreactor_model.profiles.wording import signed, summary

    pair = [_one(bundle, arguments.folder, name) for name in (arguments.first, arguments.second)]
    first, second = pair[0][0], pair[1][0]
    found = similarity(first, second)
    average = _average(bundle, pair[0][1], {first.name, second.name})
    patterns = (
        f"Their patterns: cosine {signed(found.cosine)}, distance {found.distance:.2f} "
        f"(the same: +1, 0; nothing in common: 0, {2**0.5:.2f})."
    )
    told = _NO_TRAITS
    if traits_of(first) and traits_of(second):
        told = summary(traits_of(second), traits_of(first), second.name, first.name)
    if arguments.out is not None:
        warning = _warning(bundle)
        footer = [patterns, *(f"{each.name}: {made_from(each)}" for each in (first, second))]
        sheet = Sheet(f"{first.name} and {second.name}", told, (*footer, made_when(first)), warning)
        draw_listeners(arguments.out, sheet, [_portrayed(first), _portrayed(second)], average)
    if arguments.json:
        record = {"bundle": bundle.model_id, "cosine": found.cosine, "distance": found.distance}
        record |= {"traits": {each.name: traits_of(each) for each in (first, second)}}
        print(json.dumps({**record, "picture": str(arguments.out) if arguments.out else None}))
        return 0
    print(f"{told}\n  {patterns}")
    for line in _trait_lines([first, second], average):
        print(f"  {line}")
    if arguments.out is not None:
        print(f"  picture: {arguments.out}")
    return 0


def _one(
    bundle: Bundle, folder: Path | None, name: str
) -> tuple[ListenerProfile, list[ListenerProfile]]:
    """The profile of that name, and all that can be read of the same bundle."""
    from perreactor_model.profiles.store import ProfileStore

    store = ProfileStore(bundle, [folder] if folder is not None else [])
    if name in store.controls:
        raise ProfileError(f"'{name}' is a control condition: it has no pattern to look at")
    return store.get(name), store.readable()


def _average(bundle: Bundle, known: list[ListenerProfile], but: set[str]) -> Average | None:
    """Of the bundle's own listeners; where they have no traits, of all others that are known."""
    from perreactor_model.profiles.comparison import average_of

    own = {path.stem for path in bundle.profiles_path.glob("*.json")}
    return average_of([each for each in known if each.name in own]) or average_of(
        [each for each in known if each.name not in but]
    )


def _warning(bundle: Bundle) -> str:
    """For pictures."""
    if bundle.trained:
        return ""
    return "This bundle is untrained: its patterns mean nothing yet. Bars show what was measured."


def _portrayed(profile: ListenerProfile) -> Any:
    from perreactor_model.profiles.comparison import traits_of, units_of
    from perreactor_model.profiles.figure_parts import Portrayed

    return Portrayed(profile.name, traits_of(profile), units_of(profile))


def _trait_lines(profiles: list[ListenerProfile], average: Average | None) -> list[str]:
    from perreactor_model.profiles.comparison import traits_of
    from perreactor_model.profiles.wording import TRAIT_WORDS

    columns = [traits_of(each) for each in profiles]
    heads = [each.name for each in profiles]
    if average is not None:
        columns, heads = [*columns, average.traits], [*heads, "average"]
    rows = [
        (words.title, *(words.text(each[trait]) if trait in each else "-" for each in columns))
        for trait, words in TRAIT_WORDS.items()
        if any(trait in each for each in columns[: len(profiles)])
    ]
    if not rows:
        return []
    notes = [f"average of {average.title}"] if average is not None else []
    return [*table([("", *heads), *rows]), *notes]
