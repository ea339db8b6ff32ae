"""From stamped chunks of sound to one continuous timeline, and from there to one piece a frame.

In: chunks of float samples, mono or interleaved channels, 8 to 48 kHz, each with the stamp of its
first sample in ns. Out: for any cell of 1/25 s, float32 mono at the bundle's rate, or None where
less than half of the cell is known.

Between messages samples are counted and stamps are only watched, so stamps that jitter by less than
`tolerance` do not tear the sound. Their average still holds the count to the stamps: where it walks
off by a quarter of the tolerance, as it does when the clocks of two devices drift apart, the count
is moved and the seam bridged. A larger deviation is a gap (unknown samples) or an overlap (the
first copy stays). Every sample has an absolute index, round(stamp * rate), so nothing depends on
how chunks were cut.
"""

import math

import numpy as np

from perreactor_model.audio.resample import check_rate, resample_piece
from perreactor_model.contract import FRAME_RATE
from perreactor_model.streaming.samples import SampleStore

NANOSECONDS = 1_000_000_000
MOST_CHANNELS = 32
MOST_RATES = 4
"""Sampling rates kept at a time; only the cell in which a microphone changes its rate has two."""

_JITTER_SECONDS = 1.0
"""Time constant of the average deviation of the stamps from the count of samples."""
_LARGEST_WEIGHT = 0.1
"""Weight of one chunk in that average, at most, so that one long chunk does not decide it."""


def sample_index(stamp_ns: int, rate: int) -> int:
    """The absolute index of the sample nearest to a stamp (exact integer arithmetic)."""
    return (2 * stamp_ns * rate + NANOSECONDS) // (2 * NANOSECONDS)


def mono(samples: np.ndarray) -> np.ndarray:
    """Check a chunk and average its channels.

    `samples` is float (n,) or (n, channels) in [-1, 1]. Returns float32 (n,). Raises ValueError for
    integer samples and other shapes. Channels are added in order, which makes every sample's value
    independent of the chunk's length.
    """
    chunk = np.asarray(samples)
    if not np.issubdtype(chunk.dtype, np.floating):
        raise ValueError(
            f"audio samples must be floats in [-1, 1], got {chunk.dtype} "
            "(divide 16-bit samples by 32768)"
        )
    if chunk.ndim == 1:
        return chunk.astype(np.float32)
    if chunk.ndim != 2 or not 1 <= chunk.shape[1] <= MOST_CHANNELS:
        raise ValueError(
            f"audio samples must have shape (n,) or (n, channels) with 1 to {MOST_CHANNELS} "
            f"channels, got {chunk.shape}"
        )
    total = chunk[:, 0].astype(np.float32)
    for channel in range(1, chunk.shape[1]):
        total += chunk[:, channel]
    return total / np.float32(chunk.shape[1])


class AudioTimeline:
    """The recent sound on one absolute time axis.

    Not thread-safe. Memory is bounded by the span between `forget` and the newest chunk; the frame
    clock keeps that below its `buffer_seconds`. `counters` counts samples: `late_samples` came
    after their cell was forgotten, `duplicate_samples` were there already, `broken_samples` were
    NaN or infinite, `missing_samples` fell into gaps; and events: `audio_gaps`, `audio_moves` (the
    count was moved to follow the stamps), `rate_changes`.
    """

    def __init__(self, rate: int = 16_000, tolerance: float = 0.02) -> None:
        check_rate(rate)
        if rate % FRAME_RATE:
            raise ValueError(
                f"the bundle's audio rate must be a multiple of {FRAME_RATE} Hz, got {rate}"
            )
        if not 0.001 <= tolerance <= 0.5:
            raise ValueError(f"the audio tolerance must be 0.001 to 0.5 s, got {tolerance}")
        self.rate = rate
        self._tolerance = tolerance
        self.counters = dict.fromkeys(
            (
                "late_samples",
                "duplicate_samples",
                "broken_samples",
                "missing_samples",
                "audio_gaps",
                "audio_moves",
                "rate_changes",
            ),
            0,
        )
        self.reset()

    def reset(self) -> None:
        """Forget all sound; counters stay."""
        self._stores: dict[int, SampleStore] = {}
        self._current = 0
        self._forgotten_ns: int | None = None
        self._first_ns: int | None = None
        self._forget_deviation()

    def _forget_deviation(self) -> None:
        self._deviation = 0.0
        self._owed = 0

    @property
    def first_ns(self) -> int | None:
        """Stamp of the earliest sample since the reset, or None."""
        return self._first_ns

    @property
    def end_ns(self) -> int | None:
        """Stamp just after the newest sample, or None before the first."""
        if not self._stores:
            return None
        return max(store.end * NANOSECONDS // rate for rate, store in self._stores.items())

    def reaches(self, stamp_ns: int) -> bool:
        """Whether sound has come (or was skipped by a gap) up to `stamp_ns`."""
        return any(
            store.end >= sample_index(stamp_ns, rate) for rate, store in self._stores.items()
        )

    def push(self, samples: np.ndarray, stamp_ns: int, rate: int) -> None:
        """Add one chunk: float32 mono (n,) from `mono`, its first sample's stamp, its rate in Hz.

        Costs time in proportion to the chunk. Raises ValueError for a rate outside 8 to 48 kHz.
        """
        check_rate(rate)
        rate = int(rate)
        if samples.size == 0:
            return
        known = np.isfinite(samples)
        if not known.all():
            self.counters["broken_samples"] += int(samples.size - known.sum())
            samples = np.where(known, samples, np.float32(0.0))
        self._first_ns = stamp_ns if self._first_ns is None else min(self._first_ns, stamp_ns)
        store = self._store_for(rate, stamp_ns)
        start = self._place(store, stamp_ns, rate, samples.size)
        late, duplicate = store.write(start, np.clip(samples, -1.0, 1.0), known)
        self.counters["late_samples"] += late
        self.counters["duplicate_samples"] += duplicate

    def _store_for(self, rate: int, stamp_ns: int) -> SampleStore:
        """The store of this rate. After a change of rate the new one goes on where the old ended,
        if the stamp is near."""
        store = self._stores.get(rate)
        if store is not None and rate == self._current:
            return store
        if self._current:
            self.counters["rate_changes"] += 1
        end_ns, self._current = self.end_ns, rate
        self._forget_deviation()
        if store is None:
            near = end_ns is not None and abs(stamp_ns - end_ns) < self._tolerance * NANOSECONDS
            first = sample_index(end_ns if near and end_ns is not None else stamp_ns, rate)
            floor = None if self._forgotten_ns is None else sample_index(self._forgotten_ns, rate)
            store = self._stores[rate] = SampleStore(first, floor)
            while len(self._stores) > MOST_RATES:
                del self._stores[next(iter(self._stores))]
        return store

    def _place(self, store: SampleStore, stamp_ns: int, rate: int, count: int) -> int:
        """The index of a chunk's first sample: counted on, or taken from its stamp after a gap.

        The average deviation moves the count forward by bridging, and backward by leaving out the
        `_owed` samples that come next (more than one short chunk of them, perhaps).
        """
        stamped = sample_index(stamp_ns, rate)
        deviation = stamped - (store.end - self._owed)
        # A lost chunk of exactly the tolerance is a gap, however its stamp was rounded.
        if abs(deviation) >= self._tolerance * rate - 1.0:
            if stamped > store.end:
                self.counters["audio_gaps"] += 1
                self.counters["missing_samples"] += stamped - store.end
            self._forget_deviation()
            return stamped
        weight = min(_LARGEST_WEIGHT, -math.expm1(-count / (rate * _JITTER_SECONDS)))
        self._deviation += weight * (deviation - self._deviation)
        move = round(self._deviation)
        if abs(move) >= 0.25 * self._tolerance * rate:
            self.counters["audio_moves"] += 1
            self._forget_deviation()
            if move > 0:
                store.bridge(move)
            self._owed = max(0, -move)
        start = store.end - self._owed
        self._owed = max(0, self._owed - count)
        return start

    def forget(self, before_ns: int) -> None:
        """Drop all sound before a stamp; chunks that still come for that time are late."""
        self._forgotten_ns = before_ns
        for rate in list(self._stores):
            store = self._stores[rate]
            store.forget(sample_index(before_ns, rate))
            if rate != self._current and store.empty:
                del self._stores[rate]

    def cut(self, start_ns: int, stop_ns: int) -> np.ndarray | None:
        """The sound of one cell of 1/25 s at the bundle's rate.

        Returns float32 (rate/25,) with 0 where a sample is unknown, or None where less than half of
        the cell is known. A pure function of the cell's samples.
        """
        count = self.rate // FRAME_RATE
        voice = np.zeros(count, np.float32)
        filled = np.zeros(count, bool)
        for rate, store in self._stores.items():
            samples, known = store.read(sample_index(start_ns, rate), sample_index(stop_ns, rate))
            if not known.any():
                continue
            samples = resample_piece(samples, rate, self.rate, count)
            if known.all() and not filled.any():
                return samples
            nearest = (np.arange(count) * known.size) // count
            fresh = known[nearest] & ~filled
            voice[fresh] = samples[fresh]
            filled |= fresh
        return voice if 2 * int(filled.sum()) >= count else None
