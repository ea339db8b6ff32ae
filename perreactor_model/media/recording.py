"""Writing an mp4 file: pictures at a constant rate, with or without sound."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from perreactor_model.media.video import VideoError

PICTURE_CODECS = ("libx264", "libopenh264", "mpeg4")
"""In order of preference; the first one that this build of FFmpeg has is taken."""


def choose_picture_codec() -> str:
    """The best encoder for mp4 that is present. Raises VideoError if there is none."""
    for name in PICTURE_CODECS:
        if name in av.codecs_available:
            return name
    raise VideoError(f"this build of PyAV has none of the video encoders {PICTURE_CODECS}")


class VideoWriter:
    """Writes RGB pictures and mono sound to an mp4 file.

    The file is fragmented (one fragment a second): what was written stays playable even if the
    process is killed before `close`. Pictures may skip indices; the previous one then stays on
    screen. Not thread-safe: one thread writes and closes.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        frame_rate: int = 25,
        *,
        audio_rate: int = 0,
        quality: int = 23,
        preset: str = "veryfast",
        fragmented: bool = True,
    ) -> None:
        """`audio_rate` 0 writes no sound; `quality` is x264's crf (lower is better, larger)."""
        if width < 2 or height < 2 or width % 2 or height % 2:
            raise VideoError(f"mp4 needs an even width and height, not {width}x{height}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        flags = "frag_keyframe+delay_moov+default_base_moof" if fragmented else "faststart"
        self.path = Path(path)
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": flags})
        codec = choose_picture_codec()
        options = {"crf": str(quality), "preset": preset} if codec == "libx264" else {}
        self._closed = False
        self._video = cast(
            VideoStream, self._container.add_stream(codec, rate=frame_rate, options=options)
        )
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.gop_size = frame_rate
        self._video.codec_context.max_b_frames = 0
        self._video.codec_context.thread_count = 1
        if codec != "libx264":
            self._video.bit_rate = 2_000_000
        self._time_base = Fraction(1, frame_rate)
        self._audio: AudioStream | None = None
        if audio_rate:
            self._audio = self._container.add_stream("aac", rate=audio_rate)
            self._audio.layout = "mono"
            self._audio.bit_rate = 64_000
        self._next_index = 0
        self._next_sample = 0

    def write(self, image: np.ndarray, index: int | None = None) -> None:
        """Append an RGB uint8 (height, width, 3) picture; `index` must rise, default: next."""
        index = self._next_index if index is None else index
        if index < self._next_index:
            raise ValueError(f"picture {index} comes after picture {self._next_index - 1}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = index, self._time_base
        self._next_index = index + 1
        self._container.mux(self._video.encode(frame))

    def write_sound(self, samples: np.ndarray, position: int | None = None) -> None:
        """Append float32 mono samples; `position` (sample number) fills a gap with silence.

        Samples that lie before what is written already are dropped.
        """
        assert self._audio is not None, "this file was opened without sound"
        samples = np.asarray(samples, np.float32).reshape(-1)
        gap = 0 if position is None else position - self._next_sample
        samples = samples[-gap:] if gap < 0 else np.pad(samples, (gap, 0))
        if not len(samples):
            return
        plane = np.ascontiguousarray(np.clip(np.nan_to_num(samples), -1, 1)).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(plane, format="fltp", layout="mono")
        frame.sample_rate = self._audio.rate
        frame.pts, frame.time_base = self._next_sample, Fraction(1, self._audio.rate)
        self._next_sample += len(samples)
        self._container.mux(self._audio.encode(frame))

    def close(self) -> None:
        """Flush the encoders and finish the file; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._next_index:
            self._container.mux(self._video.encode(None))
        if self._audio is not None and self._next_sample:
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
