"""Where no garbage is collected, and that it is collected again afterwards."""

from __future__ import annotations

import gc

import pytest

from cds_service.garbage import uncollected


def test_nothing_is_collected_inside_and_everything_again_outside() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ValueError), uncollected():
        raise ValueError
    assert gc.isenabled()


def test_one_thread_that_ends_inside_another_leaves_it_enabled() -> None:
    first, second = uncollected(), uncollected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.isenabled()
