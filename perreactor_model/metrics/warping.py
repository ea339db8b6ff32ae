"""Dynamic time warping of two sequences, exact, compiled, with early abandoning.

The distance is that of the field (FRDist, "DTW"): every frame of one sequence is matched with at
least one frame of the other, in order, from both beginnings to both ends; a cell (i, j) of the
n x m grid costs the squared Euclidean distance of frame i and frame j, and the path with the
smallest sum wins. No window. The square root of that sum is the metric's business.

How it is fast. All cells of one anti-diagonal i + j are independent, so one pair of sequences fills
the vector unit by itself. The grid is walked in tiles of LANES rows by DEPTH anti-diagonals. A
tile computes its local costs in registers, channel by channel, and then takes DEPTH steps of the
recursion in registers too; only its two last anti-diagonals and its right edge go to memory. The
tile is written in LLVM's vector language (numba hands it to the same compiler), because loops over
arrays that may overlap are not turned into this by any compiler.

How it is exact. Inputs are float32. A local cost is the sum of squares of direct differences in
float32: no term is ever subtracted from another, so equal frames cost exactly 0 and a cost over C
channels has a relative error of at most (C + 3) / 2**24. Sums along the path are float64. A
minimum over sums of non-negative terms moves by no more than its terms do, and the square root
halves it: below 5.4e-7 for 15 channels, 8.4e-7 for all 25. (Differences below 1e-19 or above 1e18
leave float32's range when squared; facial attributes do not get there.)

How it is cut short. `warp` is told a limit and what the rows and columns still to come must cost at
least. A tile where even the best cell cannot stay within the limit is dropped: the next
anti-diagonals pass it by, and when no tile is left the pair is abandoned. A sum at or below the
limit comes out bit for bit the same whatever the limit was.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from perreactor_model.metrics.compiling import compiled

LANES = 16
"""Rows of a tile: one vector of float32 on AVX-512, two on AVX2, four on NEON."""

DEPTH = 6
"""Anti-diagonals of a tile: its sums fit the 16 registers of AVX2 (twice 6, and a few to work)."""

PAD = 2 * LANES
"""Columns beyond both ends that a tile may touch; they cost infinitely much."""

_BEYOND = np.float32(1e30)  # Its square is infinite in float32; minus infinity squared is too.


def forward_layout(sequence: np.ndarray) -> np.ndarray:
    """(T, C) -> (C, T rounded up to whole tiles), float32: the rows of the grid."""
    frames, channels = sequence.shape
    rows = np.full((channels, -(-frames // LANES) * LANES), _BEYOND, np.float32)
    rows[:, :frames] = sequence.T
    return rows


def backward_layout(sequence: np.ndarray) -> np.ndarray:
    """(T, C) -> (C, PAD + T + PAD), float32, last frame first: the columns of the grid.

    Reversed, an anti-diagonal reads rows and columns in the same direction.
    """
    frames, channels = sequence.shape
    columns = np.full((channels, frames + 2 * PAD), np.inf, np.float32)
    columns[:, PAD : PAD + frames] = sequence[::-1].T
    return columns


def _typed_tile(
    typing_context: Any,
    rows: Any,
    row_at: Any,
    row_stride: Any,
    columns: Any,
    column_at: Any,
    column_stride: Any,
    channels: Any,
    newest: Any,
    before: Any,
    lane: Any,
    edge: Any,
) -> Any:
    """Take LANES rows DEPTH anti-diagonals further; the smallest of the last two is returned.

    `row_at` and `column_at` index the first channel's value for the first row on the first
    anti-diagonal; the other channels follow in strides. `newest` and `before` hold the sums on the
    last two anti-diagonals, from `lane` on. `edge` (DEPTH + 1) holds the sums of the row above the
    tile on anti-diagonals -2, -1, ..., DEPTH - 2 and leaves with those of the tile's last row.
    """
    arguments = (rows, row_at, row_stride, columns, column_at, column_stride, channels)
    signature = types.float64(*arguments, newest, before, lane, edge)
    return signature, _tile_code


_tile: Any = intrinsic(_typed_tile)


def _tile_code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
    def pointer(index: int) -> ir.Value:
        array = context.make_array(signature.args[index])
        return array(context, builder, arguments[index]).data

    row = builder.gep(pointer(0), [arguments[1]])
    column = builder.gep(pointer(3), [arguments[4]])
    costs = _tile_costs(builder, row, arguments[2], column, arguments[5], arguments[6])
    lane = arguments[9]
    newest, before = builder.gep(pointer(7), [lane]), builder.gep(pointer(8), [lane])
    return _tile_sums(builder, costs, newest, before, pointer(10))


_SINGLE, _DOUBLE = ir.FloatType(), ir.DoubleType()
_INDEX, _SHORT = ir.IntType(64), ir.IntType(32)
_COSTS, _SUMS = ir.VectorType(_SINGLE, LANES), ir.VectorType(_DOUBLE, LANES)
_LAST = ir.Constant(_SHORT, LANES - 1)


def _load(builder: ir.IRBuilder, pointer: ir.Value, kind: ir.VectorType) -> ir.Value:
    size = 4 if kind is _COSTS else 8
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=size)


def _tile_costs(
    builder: ir.IRBuilder,
    row: ir.Value,
    row_stride: ir.Value,
    column: ir.Value,
    column_stride: ir.Value,
    channels: ir.Value,
) -> list[ir.Value]:
    """DEPTH vectors of local costs: a loop over channels, everything in registers."""
    entry = builder.block
    loop, done = builder.append_basic_block("channel"), builder.append_basic_block("costs")
    builder.branch(loop)
    builder.position_at_end(loop)
    channel = builder.phi(_INDEX)
    channel.add_incoming(ir.Constant(_INDEX, 0), entry)
    sums = [builder.phi(_COSTS) for _ in range(DEPTH)]
    mine = _load(builder, builder.gep(row, [builder.mul(channel, row_stride)]), _COSTS)
    first = builder.gep(column, [builder.mul(channel, column_stride)])
    costs = []
    for step, total in enumerate(sums):
        total.add_incoming(ir.Constant(_COSTS, [0.0] * LANES), entry)
        # One anti-diagonal further, the same row meets the next frame: one place to the left.
        other = _load(builder, builder.gep(first, [ir.Constant(_INDEX, -step)]), _COSTS)
        difference = builder.fsub(mine, other)
        square = builder.fmul(difference, difference, flags=("contract",))
        costs.append(builder.fadd(total, square, flags=("contract",)))
        total.add_incoming(costs[-1], loop)
    following = builder.add(channel, ir.Constant(_INDEX, 1))
    channel.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, channels), loop, done)
    builder.position_at_end(done)
    return costs


def _tile_sums(
    builder: ir.IRBuilder,
    costs: list[ir.Value],
    newest: ir.Value,
    before: ir.Value,
    edge: ir.Value,
) -> ir.Value:
    """D(i, j) = cost(i, j) + min(D(i, j-1), D(i-1, j-1), D(i-1, j)) on DEPTH anti-diagonals."""
    one, two = _load(builder, newest, _SUMS), _load(builder, before, _SUMS)
    two_above = _row_above(builder, two, edge, 0)
    for step, cost in enumerate(costs):
        one_above = _row_above(builder, one, edge, step + 1)
        best = _smaller(builder, _smaller(builder, one, two_above), one_above)
        two, two_above = one, one_above
        one = builder.fadd(builder.fpext(cost, _SUMS), best)
    builder.store(one, builder.bitcast(newest, _SUMS.as_pointer()), align=8)
    builder.store(two, builder.bitcast(before, _SUMS.as_pointer()), align=8)
    return _smallest(builder, _smaller(builder, one, two))


def _row_above(builder: ir.IRBuilder, sums: ir.Value, edge: ir.Value, place: int) -> ir.Value:
    """The same anti-diagonal one row up; the edge's value comes in and the last row's goes out."""
    at = builder.gep(edge, [ir.Constant(_INDEX, place)])
    nothing = ir.Constant(_SUMS, ir.Undefined)
    entering = builder.insert_element(nothing, builder.load(at), _LAST)
    order = [LANES - 1, *range(LANES, 2 * LANES - 1)]
    above = builder.shuffle_vector(entering, sums, ir.Constant(ir.VectorType(_SHORT, LANES), order))
    builder.store(builder.extract_element(sums, _LAST), at)
    return above


def _smaller(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered("<", one, other), one, other)


def _smallest(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    width = LANES
    while width > 1:
        width //= 2
        kind = ir.VectorType(_SHORT, width)
        low = builder.shuffle_vector(vector, vector, ir.Constant(kind, list(range(width))))
        high_places = list(range(width, 2 * width))
        high = builder.shuffle_vector(vector, vector, ir.Constant(kind, high_places))
        vector = _smaller(builder, low, high)
    return builder.extract_element(vector, ir.Constant(_SHORT, 0))


@compiled(error_model="numpy", nogil=True)
def warp(
    rows: np.ndarray,
    row_count: int,
    columns: np.ndarray,
    column_count: int,
    first_channel: int,
    channels: int,
    rows_left: np.ndarray,
    columns_left: np.ndarray,
    limit: float,
    work: np.ndarray,
) -> tuple[float, int]:
    """Smallest sum of squared distances along a warping path, and the cells computed for it.

    rows (C, >= n) and columns (C, PAD + m + PAD) are in forward and backward layout; of their
    channels, `channels` from `first_channel` on count. rows_left (>= n + 1) and columns_left
    (>= m + 1) bound from below what rows i.. and columns j.. cost: non-increasing, 0 at the end
    (all 0 where nothing is known). A sum above `limit` comes back as infinity. work: float64, at
    least `work_size(n)`.
    """
    lanes, depth, pad = LANES, DEPTH, PAD
    row_stride, column_stride = rows.shape[1], columns.shape[1]
    row_at, column_at = first_channel * row_stride, first_channel * column_stride
    whole = (row_count + lanes - 1) // lanes * lanes
    edge, newest, before = work[: depth + 1], work[16 : 16 + whole], work[16 + whole :]
    for index in range(16, 16 + 2 * whole):
        work[index] = np.inf
    diagonals = row_count + column_count - 1
    # The last tile ends with the last cell; the first may begin before the first cell.
    diagonal = -((-diagonals) % depth)
    low, high, tiles = 0, -1, 0
    while diagonal < diagonals:
        low = max(low, (diagonal - column_count + 1) // lanes)
        end = min(min(diagonal + depth, row_count) - 1, high * lanes + 2 * lanes - 1) // lanes
        for index in range(depth + 1):
            edge[index] = np.inf
        if low > 0:  # the row above was just left behind: its last two sums are still needed
            above = low * lanes - 1
            edge[0], edge[1] = before[above], newest[above]
            before[above] = newest[above] = np.inf
        if diagonal <= 0:
            edge[-diagonal] = 0.0  # the path comes from before the first frames
        alive, high = -1, -1
        for tile in range(low, end + 1):
            lane = tile * lanes
            at = column_at + pad + column_count - 1 - diagonal + lane
            best = _tile(
                rows,
                row_at + lane,
                row_stride,
                columns,
                at,
                column_stride,
                channels,
                newest,
                before,
                lane,
                edge,
            )
            left = max(
                rows_left[min(lane + lanes, row_count)],
                columns_left[min(diagonal + depth - lane, column_count)],
            )
            if best + left <= limit:
                high = tile
                if alive < 0:
                    alive = tile
            else:
                for index in range(lane, lane + lanes):
                    newest[index] = np.inf
                    before[index] = np.inf
        tiles += end + 1 - low
        if high < 0:
            return np.inf, tiles * lanes * depth
        low = alive
        diagonal += depth
    total = newest[row_count - 1]
    return (total if total <= limit else np.inf), tiles * lanes * depth


def work_size(row_count: int) -> int:
    """How many float64 `warp` needs for this many rows."""
    return 16 + 2 * (-(-row_count // LANES) * LANES)
