"""The loops that read a JPEG scan's Huffman codes, compiled; see `jpeg`."""

import numpy as np
from numba import njit

_BAD_CODE, _OUTSIDE, _EARLY, _LATE, _RESTART, _RUN = range(1, 7)
#: What each fault that `scan` returns is.
FAULTS = {
    _BAD_CODE: "a code that isn't in its table",
    _OUTSIDE: "a number outside its range",
    _EARLY: "a scan ends before its last block",
    _LATE: "a scan goes on after its last block",
    _RESTART: "a restart marker is missing or out of turn",
    _RUN: "a run goes on after the last block",
}
_AT, _BUFFER, _BITS, _FAULT, _BANDS = range(5)
_loops = njit(nogil=True, cache=True)


@_loops
def _fill(data, state):
    """Take whole bytes into the buffer, up to a marker."""
    while state[_BITS] <= 40:
        at = state[_AT]
        if at >= data.size:
            return
        byte = np.int64(data[at])
        if byte == 0xFF:
            if at + 1 >= data.size or data[at + 1] != 0:
                return
            at += 1
        state[_AT] = at + 1
        state[_BUFFER] = ((state[_BUFFER] & 0xFFFFFFFFFF) << 8) | byte
        state[_BITS] += 8


@_loops
def _bits(data, state, count):
    """Return the next bits as a number; note it if they aren't there."""
    if count == 0:
        return np.int64(0)
    if state[_BITS] < count:
        _fill(data, state)
        if state[_BITS] < count:
            state[_FAULT] = _EARLY
            return np.int64(0)
    state[_BITS] -= count
    return (state[_BUFFER] >> state[_BITS]) & ((np.int64(1) << count) - 1)


@_loops
def _code(data, state, table):
    """Return the value of the next code."""
    if state[_BITS] < 16:
        _fill(data, state)
    bits = state[_BITS]
    if bits >= 16:
        seen = (state[_BUFFER] >> (bits - 16)) & 0xFFFF
    else:
        seen = ((state[_BUFFER] & ((np.int64(1) << bits) - 1)) << (16 - bits)) & 0xFFFF
    found = np.int64(table[seen])
    if found == 0 or found >> 8 > bits:
        state[_FAULT] = _EARLY if bits < 16 else _BAD_CODE
        return np.int64(0)
    state[_BITS] -= found >> 8
    return found & 255


@_loops
def _number(data, state, size):
    """Return a number of so many bits; the half of them that start with 0 are negative."""
    value = _bits(data, state, size)
    return value if size == 0 or value >> (size - 1) else value - (np.int64(1) << size) + 1


@_loops
def _rest(data, state, table, most, known, first, last, progressive):
    """Read a block's further coefficients, or the first scan of some of them."""
    if state[_BANDS] > 0:
        state[_BANDS] -= 1
        return
    k = first
    while k <= last and state[_FAULT] == 0:
        value = _code(data, state, table)
        zeros, size = value >> 4, value & 15
        if size == 0:
            if zeros < 15:
                if progressive:
                    state[_BANDS] = (np.int64(1) << zeros) - 1 + _bits(data, state, zeros)
                elif zeros > 0:
                    state[_FAULT] = _OUTSIDE
                return
            k += 16
            if k > last + 1:
                state[_FAULT] = _OUTSIDE
            continue
        k += zeros
        if k > last or abs(_number(data, state, size)) > most[k] + 1:
            state[_FAULT] = max(state[_FAULT], _OUTSIDE)
            return
        if progressive:
            known[k] = 1
        k += 1


@_loops
def _refine(data, state, table, known, first, last):
    """Read one more bit of the coefficients that are known, and those that become so."""
    k = first
    if state[_BANDS] == 0:
        while k <= last and state[_FAULT] == 0:
            value = _code(data, state, table)
            zeros, size = value >> 4, value & 15
            if size > 1:
                state[_FAULT] = _OUTSIDE
                return
            if size == 0 and zeros < 15:
                state[_BANDS] = (np.int64(1) << zeros) + _bits(data, state, zeros)
                break
            _bits(data, state, size)
            while k <= last:
                if known[k]:
                    _bits(data, state, 1)
                elif zeros == 0:
                    break
                else:
                    zeros -= 1
                k += 1
            if size:
                if k > last:
                    state[_FAULT] = _OUTSIDE
                    return
                known[k] = 1
            k += 1
    if state[_BANDS] > 0:
        while k <= last:
            if known[k]:
                _bits(data, state, 1)
            k += 1
        state[_BANDS] -= 1


@_loops
def scan(data, at, units, shape, dc, ac, most, known, stride, restart, bands):
    """Read one scan's codes to their end.

    Parameters
    ----------
    data : ndarray of uint8
        The file.
    at : int
        Where the scan's data start.
    units : (int, int)
        Rows and columns of what is read at a time: whole units (MCU), or one component's blocks.
    shape : ndarray of int64, shape (components, 2)
        Blocks of each component that make up a unit, down and across.
    dc, ac : ndarray of int32, shape (components, 65536)
        Tables of codes: 256 * length + value for any next 16 bits, 0 where there is no code.
    most : ndarray of int64, shape (components, 64)
        Largest coefficients, in the order in which they come.
    known : ndarray of uint8, shape (blocks, 64)
        Which coefficients earlier scans of a progressive picture gave; updated. Empty if it is
        sequential.
    stride : int
        Blocks in a row of `known`.
    restart : int
        Units between restart markers; 0 for none.
    bands : (int, int, int)
        First and last coefficient, and how many bits were left by the scan that this refines.

    Returns
    -------
    (int, int)
        A key of `FAULTS`, or 0, and where the scan's data end.
    """
    first, last, high = bands
    state = np.zeros(5, np.int64)
    state[_AT] = at
    means = np.zeros(shape.shape[0], np.int64)
    progressive = known.shape[0] > 0
    none = np.zeros(64, np.uint8)
    done, turn = 0, 0
    for row in range(units[0]):
        for column in range(units[1]):
            if restart and done == restart:
                if state[_BANDS]:
                    return _RUN, at
                if state[_BITS] >= 8:
                    return _LATE, at
                place = state[_AT]
                while place + 1 < data.size and data[place] == 0xFF == data[place + 1]:
                    place += 1
                if place + 1 >= data.size or data[place] != 0xFF or data[place + 1] != 0xD0 + turn:
                    return _RESTART, at
                state[:] = 0
                state[_AT] = place + 2
                means[:] = 0
                done, turn = 0, (turn + 1) % 8
            for part in range(shape.shape[0]):
                for _ in range(shape[part, 0] * shape[part, 1]):
                    if first == 0:
                        if high:
                            _bits(data, state, 1)
                        else:
                            size = min(_code(data, state, dc[part]), 16)
                            means[part] += _number(data, state, size)
                            if abs(means[part]) > most[part, 0] + 1:
                                state[_FAULT] = max(state[_FAULT], _OUTSIDE)
                    if last > 0:
                        begin = max(first, 1)
                        block = known[row * stride + column] if progressive else none
                        if high:
                            _refine(data, state, ac[part], block, begin, last)
                        else:
                            _rest(
                                data, state, ac[part], most[part], block, begin, last, progressive
                            )
                    if state[_FAULT]:
                        return state[_FAULT], at
            done += 1
    if state[_BANDS]:
        return _RUN, at
    _fill(data, state)
    # what is left of the last byte is padding
    return (_LATE if state[_BITS] >= 8 else 0), state[_AT]
