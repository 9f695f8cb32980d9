"""The pace that is found towards servers with every kind of limit, in a time that passes by itself."""

import pytest
from pacing import Bucket, Changing, Crowd, Limited, Shared, Unlimited, Windows, run

from reconciler.http.limits import Quota
from reconciler.http.pace import Pace

WAITS = pytest.mark.parametrize("after", [1.0, 0.0, None], ids=["waits", "at once", "names no time"])


@WAITS
@pytest.mark.parametrize("burst", [20, 50, 500])
def test_a_steady_rate_is_kept_to_with_hardly_a_refusal(burst: int, after: float | None) -> None:
    ran = run(Bucket(50, burst, after), 5000)

    assert ran.seconds <= 1.1 * (5000 - burst) / 50
    assert ran.refused < 0.01 * 5000


@pytest.mark.parametrize("burst", [1, 2, 5, 10])
def test_a_rate_that_saves_up_nothing_costs_its_pauses_and_no_more(burst: int) -> None:
    ran = run(Bucket(50, burst), 3000)

    assert ran.seconds <= 1.4 * 60
    assert ran.refused < 0.01 * 3000


@WAITS
def test_a_rate_below_what_anybody_expects_is_found(after: float | None) -> None:
    ran = run(Bucket(5, 1, after), 500)

    assert ran.seconds <= 1.3 * 100
    assert ran.refused < 0.05 * 500


@WAITS
@pytest.mark.parametrize("burst", [50, 500])
def test_a_rate_above_ours_is_never_noticed(burst: int, after: float | None) -> None:
    ran = run(Bucket(500, burst, after), 2000)

    assert (round(ran.seconds, 1), ran.refused) == (5.0, 0)


def test_where_there_is_no_limit_nothing_is_lost() -> None:
    ran = run(Unlimited(), 5000)

    assert (round(ran.seconds, 1), ran.refused, ran.said) == (12.5, 0, [])


@pytest.mark.parametrize("begins", [0, 30, 55])
@pytest.mark.parametrize("tells", [False, True], ids=["", "tells what is left"])
def test_windows_of_a_minute_are_used_whole(begins: float, tells: bool) -> None:
    ran = run(Windows(600, 60, begins, tells), 3000)

    assert ran.seconds <= 1.1 * (240 - begins)
    assert ran.refused < 0.01 * 3000


def test_a_handful_a_minute_is_waited_for() -> None:
    assert run(Windows(10, 60), 50).seconds <= 1.1 * 240


@pytest.mark.parametrize("every", [5, 30])
def test_a_limit_that_others_share_is_shared(every: float) -> None:
    ran = run(Shared(Bucket(50, 50), every), 5000)

    assert ran.seconds <= 1.3 * 5000 / 37.5
    assert ran.refused < 0.01 * 5000


@pytest.mark.parametrize("jitter", [0.1, 1.0])
@pytest.mark.parametrize("places", [1, 2, 4])
def test_where_the_number_at_once_is_limited_there_are_fewer_and_they_go_no_slower(
    places: int, jitter: float
) -> None:
    ran = run(Crowd(places), 2000, jitter=jitter)

    assert ran.seconds <= 1.05 * 2000 * 0.02 / places
    assert ran.refused < 0.01 * 2000


@pytest.mark.parametrize("places", [1, 2, 4])
def test_so_it_is_where_they_ask_to_wait(places: int) -> None:
    assert run(Crowd(places, after=1.0), 2000).seconds <= 6 + 1.05 * 2000 * 0.02 / places


def test_many_begin_gently() -> None:
    assert run(Crowd(8), 2000, at_once=32).refused < 0.01 * 2000


@pytest.mark.parametrize("burst", [1, 50])
def test_a_limit_that_goes_away_is_outgrown(burst: int) -> None:
    ran = run(Changing(Bucket(50, burst), 40, Unlimited()), 20000)

    assert ran.rate(30, 40) <= 1.1 * 50
    assert ran.rate(ran.seconds - 6, ran.seconds - 1) == pytest.approx(400, rel=0.01)
    assert ran.seconds <= 40 + 75 + 18000 / 400


def test_places_that_are_there_again_are_taken() -> None:
    ran = run(Changing(Crowd(2), 5, Unlimited()), 8000)

    assert ran.rate(20, 21) == pytest.approx(400, rel=0.01)


def test_a_limit_that_appears_is_found() -> None:
    ran = run(Changing(Unlimited(), 10, Bucket(50, 50)), 6000)

    assert ran.seconds <= 1.05 * (10 + 2000 / 50)
    assert ran.refused < 0.01 * 6000


@pytest.mark.parametrize("limited", [Bucket(50, 10), Crowd(3)], ids=["a rate", "how many at once"])
def test_the_same_server_is_met_in_the_same_way(limited: Limited) -> None:
    """Nothing is left to chance but how long requests take."""
    again = Bucket(50, 10) if isinstance(limited, Bucket) else Crowd(3)

    assert run(limited, 500).said == run(again, 500).said


# -- one by one ------------------------------------------------------------------------------------


def pace() -> Pace:
    return Pace(list[str]().append)


def test_everybody_waits_as_long_as_the_server_asks_one_of_them() -> None:
    one = pace()
    first, _ = one.go(0.0), one.go(0.0)
    one.refused(first, 1.0, 30.0)

    assert [one.wait(now) for now in (1.0, 30.5, 31.0)] == [30.0, 0.5, 0.0]


def test_a_single_refusal_slows_nobody_down_who_asked_little() -> None:
    one = pace()
    for moment in (0.0, 1.0, 2.0):
        one.came_through(one.go(moment), moment + 0.1)
    one.refused(one.go(3.0), 3.0, 30.0)

    assert one.wait(33.0) == 0.0
    one.go(33.0)
    assert one.wait(33.0) == 0.0


def test_a_while_in_which_nobody_asked_is_not_counted() -> None:
    """A plan is thought about between reading and writing."""
    said: list[str] = []
    one = Pace(said.append)
    one.came_through(one.go(0.0), 0.1)
    for moment in range(100):
        one.came_through(one.go(60 + moment / 50), 60 + moment / 50)
    one.refused(one.go(62.0), 62.0, 0.0)

    assert said == ["48 a second"]


def test_refusals_of_what_was_under_way_together_are_one() -> None:
    said: list[str] = []
    one = Pace(said.append)
    for moment in range(100):
        one.came_through(one.go(moment / 100), moment / 100)
    several = [one.go(1.0) for _ in range(4)]
    for going in several:
        one.refused(going, 1.02, 1.0)

    assert len(said) == 1


def test_no_more_are_under_way_than_the_server_says_it_will_take() -> None:
    one = pace()
    one.came_through(one.go(0.0), 0.0, Quota(2, 60.0))
    going = one.go(0.0)
    assert one.wait(0.0) == 0.0
    one.go(0.0)
    assert one.wait(0.0) is None

    one.came_through(going, 1.0, Quota(1, 59.0))
    assert one.wait(1.0) is None
    assert one.wait(60.0) == 0.0


def test_where_nothing_is_left_the_next_window_is_waited_for_and_nobody_blamed() -> None:
    one = pace()
    one.came_through(one.go(0.0), 0.0, Quota(0, 60.0))

    assert (one.wait(0.0), one.wait(59.0), one.wait(60.0)) == (60.0, 1.0, 0.0)
    assert one.well_until == 60.0


def test_a_server_that_takes_nothing_is_asked_by_one_at_a_time_and_ever_more_rarely() -> None:
    one = pace()
    now, waits = 0.0, []
    for _ in range(8):
        one.refused(one.go(now), now, None)
        waits.append(one.wait(now))
        now += waits[-1] or 0.0
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
    one.go(now)
    assert one.wait(now) is None
