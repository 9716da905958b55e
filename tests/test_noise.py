"""Counter-based randomness: draws are a function of what they are for, and look like chance."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.randomness import noise
from ticker.randomness.noise import (
    EXPONENTIAL_ONE,
    NORMAL_ONE,
    Stream,
    bits,
    exponentials,
    halves,
    key,
    normals,
    quantiles,
)

ALL_DRAWS = np.arange(65_536, dtype=np.uint16)


def u64(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype("<i8").tobytes()).hexdigest()[:32]


# Reference vectors. They may change only together with the golden tape of test_market.py.


def test_bits_are_those_of_splitmix64() -> None:
    """The n-th word of a key is the n-th output of SplitMix64 with that seed, as its other implementations give it."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert bits(u64(1234567), u64(1, 2, 3, 4, 5)).tolist() == published


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
@example(2**64 - 1, 2**64 - 1)
@example(0, 0)
def test_bits_are_arithmetic_modulo_2_to_the_64(key: int, counter: int) -> None:
    """The arrays wrap around, without a warning, as the definition says in whole numbers."""
    modulus = 2**64
    x = (key + counter * 0x9E3779B97F4A7C15) % modulus
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % modulus
    x = (x ^ x >> 27) * 0x94D049BB133111EB % modulus
    assert bits(u64(key), u64(counter)).tolist() == [x ^ x >> 31]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((7, "walk.symbol", "AAPL"), 11256776591068306016),
        ((7, "walk.symbol", "MSFT"), 11244007091072812917),
        ((7, "walk.market"), 4028546293631834240),
        ((0, "flow.cell", ""), 15918873121387214840),
        ((-1, "flow.event", "BRK.B"), 6978347967244958831),
        ((2**63 - 1, "flow.event", "Müller"), 7900964557063300645),
    ],
)
def test_keys_are_pinned(arguments: tuple[int, str, str], expected: int) -> None:
    """A key is a hash of seed, purpose and name, the same on every machine."""
    assert key(*arguments) == expected


def test_the_table_of_normals_is_pinned() -> None:
    """The table that turns 16 bits into a normal number is the same everywhere."""
    assert sha(normals(ALL_DRAWS)) == "4098e79164c626d7ab59f913c9d38fb3"


def test_the_table_of_exponentials_is_pinned() -> None:
    """The table that turns 16 bits into an exponential number is the same everywhere."""
    assert sha(exponentials(ALL_DRAWS)) == "c04a040d07f7a9a5d885f3238ddac76a"


@pytest.mark.parametrize("wrong", [1 - 1e-12, 1 + 1e-12])
def test_the_tables_do_not_depend_on_the_last_bits_of_a_logarithm(
    monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """A machine whose logarithm is thousands of last bits off builds the same tables."""
    log1p, inverse = np.log1p, noise.NormalDist.inv_cdf
    monkeypatch.setattr(np, "log1p", lambda x: log1p(x) * wrong)
    monkeypatch.setattr(
        noise.NormalDist, "inv_cdf", lambda self, p: inverse(self, p) * (wrong if p < 0.9 else 1)
    )
    assert (noise._normal_integers.__wrapped__() == normals(ALL_DRAWS)).all()
    assert (noise._exponential_integers.__wrapped__() == exponentials(ALL_DRAWS)).all()


# A draw depends on its address alone.


@given(
    first=st.integers(0, 2**40),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
def test_a_range_of_draws_can_be_cut_anywhere(first: int, cuts: list[int]) -> None:
    """Words and normals of a range are those of its parts, one after the other."""
    stream = Stream(3, "test", ["A", "B", "C"])
    for draw in (stream.words, stream.normals):
        whole = draw(first, sum(cuts))
        at = np.cumsum([0, *cuts])
        parts = [draw(first + int(a), n) for a, n in zip(at, cuts, strict=False)]
        assert whole.shape == (3, sum(cuts))
        assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


@given(st.permutations("ABCDEFGH").flatmap(lambda p: st.integers(1, 8).map(lambda n: p[:n])))
def test_a_name_has_its_draws_in_any_company(names: list[str]) -> None:
    """Removing and reordering names moves nobody else's draws."""
    everybody = Stream(3, "test", "ABCDEFGH")
    some = Stream(3, "test", names)
    rows = ["ABCDEFGH".index(name) for name in names]
    assert (some.words(5, 9) == everybody.words(5, 9)[rows]).all()
    assert (some.normals(5, 9) == everybody.normals(5, 9)[rows]).all()


@given(st.integers(), st.integers(), st.text(max_size=5), st.text(max_size=5))
def test_seeds_purposes_and_names_give_streams_of_their_own(
    seed: int, other: int, purpose: str, name: str
) -> None:
    """Two addresses share a stream only if they are equal."""
    assert (key(seed, purpose, name) == key(other, purpose, name)) == (seed == other)
    assert key(seed, purpose, name) != key(seed, purpose + ".", name)
    assert key(seed, purpose, name) != key(seed, purpose, name + ".")
    assert 0 <= key(seed, purpose, name) < 2**64


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
def test_halves_are_the_four_quarters_of_a_word(words: list[int]) -> None:
    """The lowest 16 bits come first, on every machine."""
    expected = [[word >> shift & 0xFFFF for shift in (0, 16, 32, 48)] for word in words]
    assert halves(u64(*words)).tolist() == expected
    assert halves(u64(*words).astype(">u8")).tolist() == expected


def test_normals_come_four_a_word() -> None:
    """A normal is the table's entry for its quarter of the word."""
    stream = Stream(3, "test", ["A"])
    table = normals(halves(stream.words(0, 3))).ravel() / NORMAL_ONE
    assert stream.normals(0, 12).tolist() == [table.tolist()]


# The distributions.


def test_normals_are_standard_and_symmetric() -> None:
    """Over all draws: mean exactly 0, variance 1, the kurtosis of a normal distribution cut off at four deviations."""
    table = normals(ALL_DRAWS) / NORMAL_ONE
    assert (table == -table[::-1]).all()
    assert (np.diff(table) >= 0).all()
    assert np.mean(table**2) == pytest.approx(1, abs=1e-6)
    assert np.mean(table**4) == pytest.approx(3, abs=0.01)
    assert 4.2 < table[-1] < 4.5


def test_exponentials_have_mean_and_variance_1() -> None:
    """Over all draws: mean 1, variance 1, and never 0."""
    table = exponentials(ALL_DRAWS) / EXPONENTIAL_ONE
    assert (np.diff(table) >= 0).all()
    assert exponentials(ALL_DRAWS).min() == 1
    assert table.mean() == pytest.approx(1, abs=1e-6)
    assert table.var() == pytest.approx(1, abs=1e-3)
    assert np.median(table) == pytest.approx(np.log(2), abs=1e-3)


def test_quantiles_are_taken_at_midpoints() -> None:
    """Neither 0 nor 1 is ever asked for."""
    uniform = quantiles(lambda u: u)
    assert len(uniform) == 65_536
    assert uniform[0] == 1 - uniform[-1] == 2**-17


def test_draws_fill_all_slices_evenly() -> None:
    """Each quarter of the words of each name hits 256 slices about equally often: chi-squared of 255 degrees."""
    draws = halves(Stream(1, "test", ["A", "B"]).words(0, 100_000))
    for name in range(2):
        for quarter in range(4):
            for shift in (0, 8):
                counts = np.bincount(draws[name, :, quarter] >> shift & 0xFF, minlength=256)
                chi_squared = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
                assert 170 < chi_squared < 360


def test_one_bit_of_an_address_changes_half_of_the_bits() -> None:
    """Neighbouring counters and neighbouring keys have nothing in common."""
    keys, counters = u64(*range(1000, 2000)), u64(*range(5, 1005))
    before = bits(keys, counters)
    for bit in range(64):
        flip = np.uint64(1 << bit)
        for after in (bits(keys ^ flip, counters), bits(keys, counters ^ flip)):
            changed = np.bitwise_count(before ^ after).mean()
            assert 31 < changed < 33


def test_draws_are_not_correlated() -> None:
    """Neither along the counters, nor between names, nor between seeds."""
    count = 200_000
    a, b, c = Stream(1, "test", ["A", "B", "C"]).normals(0, count)
    other_seed = Stream(2, "test", ["A"]).normals(0, count)[0]
    limit = 4.5 / count**0.5
    for lag in (1, 2, 3, 4, 5, 8, 16):
        assert abs(np.mean(a[lag:] * a[:-lag])) < limit
    for x, y in ((a, b), (a, c), (b, c), (a, other_seed)):
        assert abs(np.mean(x * y)) < limit
    assert abs(a.mean()) < limit
