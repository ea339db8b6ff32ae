"""The frame clock: stamped camera images and sound become frames on one grid of 25 a second.

In: images, chunks of sound and attributes from an analyzer, each with its stamp in ns. Out: one
`FrameInput` for each 1/25 s, in order and without holes. Arrival time is never looked at:

- Pushing is deterministic. A frame is complete when every expected stream has passed it, however
  the inputs were cut and interleaved; pushing alone never gives up on a stream.
- `advance(now)` is for live use: it completes frames for which some stream has kept us waiting.
- `finish()` is for recordings: it completes what is left.

The rules, with a drawing, are in docs/timing.md. The clock is not thread-safe: a node holds one
lock around every call. Pushing an image or 40 ms of sound takes tens of microseconds.
"""

from collections import deque
from typing import Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT, FRAME_NS
from perreactor_model.streaming.checks import checked_stamp, checked_vector
from perreactor_model.streaming.clock_settings import ClockSettings
from perreactor_model.streaming.frames import FrameInput
from perreactor_model.streaming.jumps import ATTRIBUTES, AUDIO, IMAGE, Arrival, JumpWatch
from perreactor_model.streaming.nearest import StampedItems
from perreactor_model.streaming.sound import NANOSECONDS, AudioTimeline, check_rate, mono
from perreactor_model.streaming.speaking import SpeakingIntervals

HALF_FRAME_NS = FRAME_NS // 2


_CLOCK_OFFSET_NS = 500_000_000
"""From here on, stamps and the caller's clock are taken to be two clocks."""


class FrameClock:
    """Puts the inputs of one speaker on one 25 Hz grid.

    Keyword arguments are those of `ClockSettings`. `epoch` counts resets and jumps of the clock;
    frames are numbered from 0 in each epoch. `counters` never go back.
    """

    def __init__(self, rate: int = 16_000, **settings: Any) -> None:
        self.settings = ClockSettings(rate=rate, **settings)
        self._max_wait = _nanoseconds(self.settings.max_wait)
        self._image_wait = _nanoseconds(self.settings.image_wait)
        self._hold = _nanoseconds(self.settings.image_hold)
        self._longest_buffer = _nanoseconds(self.settings.buffer_seconds)
        self._longest_pause = _nanoseconds(self.settings.jump_forward)
        self._watch = JumpWatch(self._longest_pause, _nanoseconds(self.settings.jump_backward))
        self._sound = AudioTimeline(self.settings.rate, self.settings.audio_tolerance)
        self._speaking = SpeakingIntervals()
        self._ready: deque[FrameInput] = deque()
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self.epoch = 0
        self._begin_axis()

    def _begin_axis(self) -> None:
        self._origin: int | None = None
        self._next = 0
        self._items = {IMAGE: StampedItems(), ATTRIBUTES: StampedItems()}
        self._sound.reset()
        self._speaking.restart()
        self._noticed: tuple[int, int] | None = None
        self._last_now: int | None = None

    # --- Input ---------------------------------------------------------------------------------

    def push_image(self, image: Any, stamp_ns: int) -> None:
        """Add a camera image with its stamp. The image is opaque and kept by reference."""
        stamp = checked_stamp(stamp_ns)
        self._counts["images"] += 1
        self._admit(Arrival(IMAGE, stamp, stamp, image))

    def push_attributes(
        self, attributes: np.ndarray | None, coefficients: np.ndarray | None, stamp_ns: int
    ) -> None:
        """Add what an analyzer says of the face: (25,) and (58,), NaN or None where unknown."""
        stamp = checked_stamp(stamp_ns)
        payload = (
            checked_vector("attributes", attributes, ATTRIBUTE_COUNT),
            checked_vector("coefficients", coefficients, COEFFICIENT_COUNT),
        )
        self._counts["attributes"] += 1
        self._admit(Arrival(ATTRIBUTES, stamp, stamp, payload))

    def push_audio(self, samples: np.ndarray, stamp_ns: int, rate: int) -> None:
        """Add a chunk of sound: float (n,) or (n, channels) in [-1, 1], the stamp of its first
        sample, its rate in Hz (8000 to 48000). The samples are copied."""
        stamp = checked_stamp(stamp_ns)
        check_rate(rate)
        chunk = mono(samples)
        if chunk.size == 0:
            return
        self._counts["audio_chunks"] += 1
        end = stamp + chunk.size * NANOSECONDS // int(rate)
        self._admit(Arrival(AUDIO, stamp, end, (chunk, int(rate))))

    def set_robot_speaking(self, flag: bool, stamp_ns: int) -> None:
        """The robot speaks, or has stopped, from `stamp_ns` on (on the data's clock): every frame
        that overlaps its speech has no voice. Survives resets."""
        self._speaking.set(bool(flag), checked_stamp(stamp_ns))

    # --- Output --------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Complete the frames that need no more waiting at `now_ns`, on the caller's clock.

        Call this at 25 Hz or faster. The caller's clock need not agree with the stamps: only its
        progress since the newest stamp was noticed counts.
        """
        data_now = self._data_now(checked_stamp(now_ns))
        if data_now is None:
            return
        if self._origin is None:
            earliest = min(self._first_stamps().values())
            if not self._all_appeared() and data_now < earliest + FRAME_NS + self._max_wait:
                return
            self._settle_origin()
        self._leap(data_now - self._max_wait - FRAME_NS)
        while self._may_complete(data_now):
            self._emit()

    def finish(self) -> None:
        """Complete what a recording still holds: every frame that an image serves or that sound
        covers to its end; never a last one that sound covers partly."""
        self._flush()
        for stream in (IMAGE, AUDIO, ATTRIBUTES):
            self._counts["stray_stamps"] += self._watch.clear_suspect(stream)

    def take(self) -> list[FrameInput]:
        """Complete frames since the last call, in order."""
        frames = list(self._ready)
        self._ready.clear()
        return frames

    def reset(self) -> None:
        """Forget everything but the counters and begin a new epoch."""
        self._ready.clear()
        _, dropped = self._watch.restart()
        self._counts["stray_stamps"] += dropped
        self.epoch += 1
        self._begin_axis()

    @property
    def counters(self) -> dict[str, int]:
        """What came and what became of it, since the clock was made (docs/timing.md explains)."""
        return {**self._counts, **self._sound.counters}

    @property
    def skew_ns(self) -> int | None:
        """How far the sound's newest stamp is ahead of the newest image's, or None."""
        sound, image = self._watch.newest_of(AUDIO), self._watch.newest_of(IMAGE)
        return None if sound is None or image is None else sound - image

    # --- Jumps of the clock ----------------------------------------------------------------------

    def _admit(self, arrival: Arrival) -> None:
        """Let an input in, hold it as suspect, or, if it confirms a suspect, begin an epoch."""
        if not self._watch.jumps(arrival, self._open_ns()):
            self._counts["stray_stamps"] += self._watch.clear_suspect(arrival.stream)
            self._ingest(arrival)
        elif self._watch.confirms(arrival):
            self._jump(arrival)
        else:
            self._counts["stray_stamps"] += self._watch.suspect(arrival)

    def _jump(self, arrival: Arrival) -> None:
        self._flush()
        held, dropped = self._watch.restart(arrival)
        self._counts["clock_jumps"] += 1
        self._counts["stray_stamps"] += dropped
        self.epoch += 1
        self._begin_axis()
        for each in (*held, arrival):
            self._ingest(each)

    # --- Storing ---------------------------------------------------------------------------------

    def _ingest(self, arrival: Arrival) -> None:
        self._watch.accept(arrival)
        if arrival.stream == AUDIO:
            self._store_sound(arrival)
        else:
            self._store_item(arrival)
            self._bound_buffers()
        self._collect()

    def _store_item(self, arrival: Arrival) -> None:
        """Keep an image or attributes. One whose frame is gone may still be held for later ones."""
        items, stamp, open_ns = self._items[arrival.stream], arrival.stamp_ns, self._open_ns()
        if items.has(stamp):
            self._counts[f"duplicate_{_PLURAL[arrival.stream]}"] += 1
            return
        if open_ns is not None and stamp < open_ns - HALF_FRAME_NS:
            self._counts[f"late_{_PLURAL[arrival.stream]}"] += 1
            if stamp < open_ns - self._hold:
                items.see(stamp)
                return
        items.add(stamp, arrival.payload)

    def _store_sound(self, arrival: Arrival) -> None:
        """Store a chunk in pieces of a second at most, so that a long one obeys the bounds."""
        chunk, rate = arrival.payload
        for start in range(0, chunk.size, rate):
            stamp = arrival.stamp_ns + start * NANOSECONDS // rate
            self._sound.push(chunk[start : start + rate], stamp, rate)
            self._bound_buffers()
            self._collect()

    def _bound_buffers(self) -> None:
        """Stop waiting where the buffers are full: complete the oldest frames as they are."""
        if not self._overfull():
            return
        if self._origin is None:
            self._settle_origin()
        self._collect()
        self._leap(self._newest_stored_ns() - self._longest_buffer)
        while self._overfull():
            self._counts["overflow_frames"] += 1
            self._emit()

    def _overfull(self) -> bool:
        if any(len(items) > self.settings.image_capacity for items in self._items.values()):
            return True
        newest = self._newest_stored_ns()
        oldest = self._open_ns()
        if oldest is None:
            oldest = min(self._first_stamps().values(), default=newest)
        return newest - oldest > self._longest_buffer

    def _newest_stored_ns(self) -> int:
        newest = [items.newest_ns for items in self._items.values()]
        return max(stamp or 0 for stamp in (*newest, self._sound.end_ns))

    # --- The grid --------------------------------------------------------------------------------

    def _open_ns(self) -> int | None:
        """Stamp of the first frame that is not complete, or None before the grid has an origin."""
        return None if self._origin is None else self._origin + self._next * FRAME_NS

    def _first_stamps(self) -> dict[str, int]:
        """The earliest stamp of each stream that has appeared."""
        firsts = {stream: items.first_ns for stream, items in self._items.items()}
        firsts[AUDIO] = self._sound.first_ns
        return {stream: first for stream, first in firsts.items() if first is not None}

    def _all_appeared(self) -> bool:
        return self._first_stamps().keys() >= set(self.settings.expects)

    def _settle_origin(self) -> None:
        """Begin the grid in phase with the camera, less than a frame after the earliest stamp.

        Only then has a 25 fps camera with jittering stamps one image near every frame.
        """
        firsts = self._first_stamps()
        expected = {name: firsts[name] for name in self.settings.expects if name in firsts}
        firsts = expected or firsts
        earliest = min(firsts.values())
        phase = firsts.get(IMAGE, firsts.get(ATTRIBUTES, earliest))
        self._origin = earliest + (phase - earliest) % FRAME_NS
        self._sound.forget(self._origin)

    def _collect(self) -> None:
        """Complete every frame that all expected streams have passed."""
        if self._origin is None:
            if not self._all_appeared():
                return
            self._settle_origin()
        while self._passed_by_all():
            self._emit()

    def _passed_by_all(self) -> bool:
        start = self._open_ns()
        assert start is not None
        for stream in self.settings.expects:
            if stream == AUDIO:
                if not self._sound.reaches(start + FRAME_NS):
                    return False
            else:
                newest = self._items[stream].newest_ns
                if newest is None or newest < start + HALF_FRAME_NS:
                    return False
        return True

    def _may_complete(self, data_now: int) -> bool:
        """Whether the open frame needs no more waiting at `data_now`."""
        if self._passed_by_all():
            return True
        start = self._open_ns()
        assert start is not None
        overdue = data_now - (start + FRAME_NS)
        if overdue >= self._max_wait:
            self._counts["overdue_frames"] += 1
            return True
        if AUDIO in self.settings.expects and not self._sound.reaches(start + FRAME_NS):
            return False
        return overdue >= self._image_wait or all(
            self._items[stream].nearest(start, HALF_FRAME_NS, HALF_FRAME_NS) is not None
            for stream in self.settings.expects
            if stream != AUDIO
        )

    def data_time(self, now_ns: int) -> int:
        """A moment of the caller's clock on the data's clock; the same while no data has come.

        The two are told apart only when they are far apart (a camera with a clock of its own):
        a small difference is the way of a message, not an offset.
        """
        if self._noticed is None:
            return now_ns
        offset = self._noticed[0] - self._noticed[1]
        return now_ns + offset if abs(offset) > _CLOCK_OFFSET_NS else now_ns

    def _data_now(self, now: int) -> int | None:
        """What the data's clock shows now: the newest stamp plus the time since it was noticed.

        A caller's clock that goes back, or forward by more than a jump, was set or slept: time
        spent so does not count.
        """
        newest = self._watch.newest_ns
        last, self._last_now = self._last_now, now
        if newest is None:
            return None
        if self._noticed is None or newest > self._noticed[0]:
            self._noticed = (newest, now)
        elif last is not None and not 0 <= now - last <= self._longest_pause:
            self._noticed = (newest, self._noticed[1] + now - last)
        return newest + now - self._noticed[1]

    def _flush(self) -> None:
        """Complete every frame that an image serves or that sound covers to its end."""
        if self._origin is None:
            if not self._first_stamps():
                return
            self._settle_origin()
        self._leap(self._newest_stored_ns() - FRAME_NS)
        while self._covered():
            self._emit()

    def _covered(self) -> bool:
        start = self._open_ns()
        assert start is not None
        return self._sound.reaches(start + FRAME_NS) or any(
            items.newest_ns is not None and items.newest_ns >= start - HALF_FRAME_NS
            for items in self._items.values()
        )

    def _emit(self) -> None:
        """Complete the open frame with what is there."""
        start = self._open_ns()
        assert start is not None
        stop = start + FRAME_NS
        frame = FrameInput(index=self._next, epoch=self.epoch, stamp_ns=start)
        image = self._items[IMAGE].nearest(start, HALF_FRAME_NS, self._hold)
        if image is not None:
            frame.image_stamp_ns, frame.image = image
        described = self._items[ATTRIBUTES].nearest(start, HALF_FRAME_NS, self._hold)
        if described is not None:
            frame.attributes, frame.coefficients = described[1]
        if self._speaking.overlaps(start, stop):
            self._counts["frames_robot_speaking"] += 1
        else:
            frame.audio = self._sound.cut(start, stop)
        self._next += 1
        self._forget(stop)
        self._hand_out(frame)

    def _leap(self, due_ns: int) -> None:
        """Pass over the frames that would be dropped unseen, for more than `frame_capacity` newer
        ones are due as well: those up to `due_ns`.

        Two streams whose clocks are years apart (time since boot, time of day) would otherwise keep
        us making empty frames for hours.
        """
        start = self._open_ns()
        assert start is not None
        passed = (due_ns - start) // FRAME_NS - self.settings.frame_capacity
        if passed <= 0:
            return
        self._next += passed
        self._forget(start + passed * FRAME_NS)
        self._counts["frames"] += passed
        self._counts["dropped_frames"] += passed

    def _forget(self, before_ns: int) -> None:
        for items in self._items.values():
            items.forget(before_ns)
        self._sound.forget(before_ns)
        self._speaking.forget(before_ns)

    def _hand_out(self, frame: FrameInput) -> None:
        self._counts["frames"] += 1
        self._counts["frames_without_image"] += frame.image is None
        self._counts["frames_without_voice"] += frame.audio is None
        self._ready.append(frame)
        if len(self._ready) > self.settings.frame_capacity:
            self._ready.popleft()
            self._counts["dropped_frames"] += 1


_PLURAL = {IMAGE: "images", ATTRIBUTES: "attributes"}

_COUNTERS = (
    *("images", "attributes", "audio_chunks", "late_images", "late_attributes"),
    *("duplicate_images", "duplicate_attributes", "stray_stamps", "clock_jumps"),
    *("overdue_frames", "overflow_frames", "frames", "frames_without_image"),
    *("frames_without_voice", "frames_robot_speaking", "dropped_frames"),
)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
