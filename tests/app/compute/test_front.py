"""The front and its processes: deadlines that hold, deaths that cost one task at most, and nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.compute import worker
from app.compute.front import Patience
from app.compute.queue import Room
from app.errors import ClientGone, Interrupted, OutcomeUnknown, Overloaded
from app.limits import OverLimit
from tests.app.compute.serving import LONG_S, SOON_S, WAIT_S, children, fronts, is_alive, run, until
from tests.processes import ROOT


def test_answers_come_back_however_long_they_are() -> None:
    async def talk() -> None:
        async with fronts() as them:
            for length in (0, 1, 2**15, 2**15 + 1, 2**22):
                body = os.urandom(length)
                assert (await them.answer("echo", body=body))[1] == body

    run(talk)


def test_tasks_run_beside_each_other_and_at_home_if_they_can() -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            await them.all_are_there()
            homes = [(await them.answer("echo", home=home))[0] for home in (0, 1, 0, 1, 2, 3)]
            assert homes == homes[:2] * 3
            assert homes[0] != homes[1]
            one = them.ask("sleep", LONG_S, home=0)
            await them.begun(one)
            assert (await them.answer("echo", home=0))[0] == homes[1]  # home is busy
            them.front.leave(one.task)
            await one.answer()

    run(talk)


# -- deadlines ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["hang", "sleep"])
def test_a_task_past_its_deadline_is_killed_and_nobody_else_is_disturbed(name: str) -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            await them.all_are_there()
            before = set(them.front.pids())
            other = them.ask("sleep", 5 * SOON_S)
            await them.begun(other)
            arguments = [LONG_S] if name == "sleep" else []
            with pytest.raises(OverLimit, match="seconds") as refused:
                await them.answer(name, *arguments, seconds=SOON_S)
            assert (refused.value.limit, refused.value.allowed) == ("seconds", SOON_S)
            pid, body = await other.answer()
            assert (body, pid in before) == (b"slept", True)
            await them.all_are_there()
            assert len(before & set(them.front.pids())) == 1
            assert them.front.events == {"kills": 1, "deaths": 0, "retries": 0, "starts": 3}

    run(talk)


def test_a_task_whose_time_is_over_before_it_began_is_refused() -> None:
    async def talk() -> None:
        async with fronts(1) as them:
            first = them.ask("sleep", LONG_S)
            await them.begun(first)
            with pytest.raises(Overloaded, match="before a process was free"):
                await them.answer("echo", seconds=SOON_S)
            them.front.leave(first.task)
            assert (await first.answer())[1] == b"cancelled"

    run(talk)


def test_a_commit_that_has_begun_is_waited_for() -> None:
    async def talk() -> None:
        async with fronts(1, patience=Patience(0.1, WAIT_S)) as them:
            assert (await them.answer("commit", 1, 4 * SOON_S, seconds=SOON_S))[1] == b"committed"
            assert them.front.events["kills"] == 0

    run(talk)


@pytest.mark.parametrize(("stage", "text"), [(1, "not known"), (2, "was carried out")])
def test_a_commit_that_does_not_end_has_an_unknown_outcome(stage: int, text: str) -> None:
    async def talk() -> None:
        async with fronts(1, patience=Patience(0.1, 2 * SOON_S)) as them:
            with pytest.raises(OutcomeUnknown, match=text):
                await them.answer("commit", stage, LONG_S, seconds=SOON_S)
            assert (await them.answer("echo", body=b"next"))[1] == b"next"

    run(talk)


# -- clients that leave ---------------------------------------------------------------------------------------------
def test_a_client_that_leaves_ends_its_task_between_two_steps() -> None:
    async def talk() -> None:
        async with fronts(1) as them:
            pid, _ = await them.answer("echo")
            one = them.ask("sleep", LONG_S)
            await them.begun(one)
            them.front.leave(one.task)
            assert await one.answer() == (pid, b"cancelled")
            assert them.front.events["kills"] == 0

    run(talk)


@pytest.mark.parametrize("by", ["leaving", "cancelling"])
def test_a_client_that_leaves_kills_a_task_that_does_not_end(by: str) -> None:
    async def talk() -> None:
        async with fronts(1) as them:
            pid, _ = await them.answer("echo")
            one = them.ask("hang")
            await them.begun(one)
            if by == "leaving":
                them.front.leave(one.task)
                with pytest.raises(ClientGone):
                    await one.answer()
            else:
                one.outcome.cancel()
            await until(lambda: them.front.events["kills"] == 1)
            assert (await them.answer("echo"))[0] != pid

    run(talk)


def test_a_client_that_leaves_the_queue_is_told_so_and_forgotten() -> None:
    async def talk() -> None:
        async with fronts(1, room=Room(1)) as them:
            first = them.ask("sleep", LONG_S)
            await them.begun(first)
            second = them.ask("echo")
            await until(lambda: them.front.waiting == 1)
            with pytest.raises(Overloaded):
                await them.answer("echo")
            full = [them.front.is_full]
            them.front.leave(second.task)
            assert [*full, them.front.is_full] == [True, False]
            third = them.ask("echo", body=b"third")
            await until(lambda: them.front.waiting == 1)
            them.front.leave(first.task)
            assert (await third.answer())[1] == b"third"
            with pytest.raises(ClientGone):
                await second.answer()

    run(talk)


# -- turns ----------------------------------------------------------------------------------------------------------
def test_tasks_of_one_turn_run_one_after_another_and_leave_room_for_others() -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            mine = [them.ask("sleep", LONG_S, turn="s")]
            await them.begun(mine[0])
            mine += [them.ask("echo", body=str(number).encode(), turn="s") for number in range(5)]
            assert (await them.answer("echo", body=b"other"))[1] == b"other"
            assert (them.front.running, them.front.waiting, them.front.is_full) == (1, 5, False)
            them.front.leave(mine[0].task)
            assert [(await one.answer())[1] for one in mine] == [b"cancelled", *(str(n).encode() for n in range(5))]

    run(talk)


def test_a_turn_is_passed_on_when_its_process_dies(tmp_path: Path) -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            first = them.ask("die", str(tmp_path), 1, turn="s")
            second = them.ask("echo", body=b"second", turn="s")
            with pytest.raises(Interrupted):
                await first.answer()
            assert (await second.answer())[1] == b"second"

    run(talk)


# -- deaths ---------------------------------------------------------------------------------------------------------
def test_a_repeatable_task_is_given_to_another_process_once(tmp_path: Path) -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            once, twice = tmp_path / "once", tmp_path / "twice"
            once.mkdir()
            twice.mkdir()
            assert (await them.answer("die", str(once), 1, repeatable=True))[1] == b"alive"
            assert (them.front.events["retries"], them.front.events["deaths"]) == (1, 1)
            with pytest.raises(Interrupted):
                await them.answer("die", str(twice), 2, repeatable=True)
            assert len(list(twice.iterdir())) == 2
            assert (them.front.events["retries"], them.front.events["deaths"]) == (2, 3)
            await them.all_are_there()

    run(talk)


@pytest.mark.parametrize(
    ("stage", "outcome", "text"),
    [(0, Interrupted, "nothing was changed"), (1, OutcomeUnknown, "not known"), (2, OutcomeUnknown, "was carried out")],
)
def test_a_task_whose_process_is_killed_from_outside_says_what_became_of_it(
    tmp_path: Path, stage: int, outcome: type[Exception], text: str
) -> None:
    async def talk() -> None:
        async with fronts(1) as them:
            with pytest.raises(outcome, match=text):
                await them.answer("die", str(tmp_path), 9, stage, repeatable=stage > 0)
            assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208 - nothing here waits for a disk
            assert (await them.answer("echo", body=b"next"))[1] == b"next"

    run(talk)


def test_an_idle_process_that_is_killed_is_replaced() -> None:
    async def talk() -> None:
        async with fronts(2) as them:
            await them.all_are_there()
            before = them.front.pids()
            os.kill(before[0], signal.SIGKILL)
            await until(lambda: them.front.events["deaths"] == 1)
            await them.all_are_there()
            assert before[0] not in them.front.pids()
            assert before[1] in them.front.pids()

    run(talk)


def test_the_death_of_the_nursery_is_recovered_from(tmp_path: Path) -> None:
    async def talk() -> None:
        async with fronts(3) as them:
            for _ in range(3):
                await them.all_are_there()
                before, nursery = them.front.pids(), them.front.nursery_pid
                busy = them.ask("die", str(tmp_path), 0)  # waits for nobody
                await busy.answer()
                hanging = them.ask("hang")
                await them.begun(hanging)
                os.kill(nursery, signal.SIGKILL)
                with pytest.raises(Interrupted):
                    await hanging.answer()
                await until(lambda nursery=nursery: them.front.nursery_pid != nursery)  # type: ignore[misc]
                await them.all_are_there()
                await until(lambda before=before: not set(before) & set(them.front.pids()))  # type: ignore[misc]
                await them.all_are_there()
                assert (await them.answer("echo", body=b"again"))[1] == b"again"
                await until(lambda before=before: not any(map(is_alive, before)))  # type: ignore[misc]
                assert len(them.front._processes) == 3
                await until(lambda nursery=nursery: nursery not in children(os.getpid()))  # type: ignore[misc]

    run(talk)


def test_nothing_is_left_of_a_front_that_closed() -> None:
    async def talk() -> None:
        async with fronts(3) as them:
            await them.all_are_there()
            pids = [them.front.nursery_pid, *them.front.pids()]
            running = them.ask("sleep", SOON_S)
            await them.begun(running)
        assert (await running.answer())[1] == b"slept"  # what runs is finished
        await until(lambda: not any(map(is_alive, pids)))
        with pytest.raises(Overloaded, match="shutting down"):
            await them.answer("echo")

    run(talk)


ORPHANS = """
import asyncio, sys
from tests.app.compute.serving import fronts, until

async def main():
    async with fronts(3) as them:
        await them.all_are_there()
        them.ask("hang"), them.ask("sleep", 600)
        await until(lambda: them.front.running == 2)
        await asyncio.sleep(0.1)
        print(them.front.nursery_pid, *them.front.pids(), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_process_outlives_a_front_that_is_killed_whatever_it_does() -> None:
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        pids = [int(pid) for pid in front.stdout.readline().split()]
        assert len(pids) == 4
        assert all(map(is_alive, pids))
        front.kill()
        front.wait(WAIT_S)
    end = time.monotonic() + WAIT_S
    while any(map(is_alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)


# -- memory ---------------------------------------------------------------------------------------------------------
def test_memory_that_a_process_may_not_have_is_an_error_and_no_death() -> None:
    async def talk() -> None:
        async with fronts(1, memory_bytes=2**27) as them:
            pid, _ = await them.answer("echo")
            assert await them.answer("allocate", 2**26) == (pid, str(2**26).encode())
            assert (await them.answer("allocate", 2**28))[0] == "out of memory"
            assert await them.answer("allocate", 2**26) == (pid, str(2**26).encode())
            assert them.front.events["deaths"] == 0

    run(talk)


def test_processes_are_replaced_after_so_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TASKS", 3)

    async def talk() -> None:
        async with fronts(1) as them:
            pids = [(await them.answer("echo"))[0] for _ in range(9)]
            assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
            assert (them.front.events["deaths"], them.front.events["kills"]) == (0, 0)
            await until(lambda: not any(map(is_alive, set(pids) - set(them.front.pids()))))

    run(talk)


def test_processes_that_stay_large_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GROWTH_BYTES", 2**25)

    async def talk() -> None:
        async with fronts(1) as them:
            small = [(await them.answer("allocate", 2**26))[0] for _ in range(3)]
            assert len(set(small)) == 1  # what is given back does not count
            large = [(await them.answer("keep", 2**26))[0] for _ in range(6)]
            assert len(set(large)) == 3  # each answers once more, and says that it was the last time

    run(talk)


def test_a_head_that_no_packet_can_carry_is_refused_and_kills_nobody() -> None:
    async def talk() -> None:
        async with fronts(1) as them:
            with pytest.raises(OverLimit, match="head_bytes"):
                await them.answer("echo", "x" * 200_000)
            assert (await them.answer("echo", body=b"fine"))[1] == b"fine"
            assert them.front.events["kills"] == 0

    run(talk)


def test_every_descriptor_is_given_back_after_many_requests_and_kills(tmp_path: Path) -> None:
    def opened() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of one process, now

    async def talk() -> None:
        async with fronts(2) as them:
            await them.all_are_there()
            before = opened()
            for round_ in range(20):
                bodies = [os.urandom(10**5 + number) for number in range(10)]
                asked = [them.ask("echo", body=body) for body in bodies]
                assert [(await one.answer())[1] for one in asked] == bodies
                folder = tmp_path / str(round_)
                folder.mkdir()
                with pytest.raises(Interrupted):
                    await them.answer("die", str(folder), 9, body=bodies[0])
            del asked, bodies
            await them.all_are_there()
            await until(lambda: opened() == before)
            assert them.front.events["deaths"] == 20
            for home in (0, 1):
                pid, held = await them.answer("descriptors", home=home)
                for number in range(20):
                    await them.answer("echo", body=os.urandom(10**5 + number), home=home)
                assert await them.answer("descriptors", home=home) == (pid, held)

    run(talk)
