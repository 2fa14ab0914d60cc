"""SLURM is asked with few commands, never submitted to twice, and believed only if it really answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.transport import Completed
from treadle.clusters.slurm.verdict import JobCause
from treadle.errors import ClusterError, ControllerAway, SubmissionRefused
from treadle.testing import fake_slurm
from treadle.testing.clock import run_without_waiting
from treadle.testing.fake_slurm import Answer, FakeSlurm

SCRIPT = "#!/bin/sh\ntrue\n"


def submit(fake: FakeSlurm, name: str = "pool-1") -> str:
    return run_without_waiting(Slurm(fake).submit(SCRIPT, name))


def test_the_script_goes_in_by_standard_input_under_its_name(fake: FakeSlurm) -> None:
    assert submit(fake) == "1"
    assert fake.calls == [("sbatch", "--parsable", "--job-name=pool-1")]
    assert fake.jobs["1"].script == SCRIPT


@pytest.mark.parametrize("printed", ["123", "Welcome to 42\n7 nodes are down\n123\n", "123;west\n"])
def test_the_id_is_the_whole_last_line(fake: FakeSlurm, printed: str) -> None:
    fake.fail(lambda _: Completed(0, printed, ""), "sbatch")
    assert submit(fake) == "123"


@pytest.mark.parametrize("printed", ["", "Submitted batch job 123", "123 nodes", "123\nbye"])
def test_what_is_no_id_is_not_taken_for_one(fake: FakeSlurm, printed: str) -> None:
    fake.fail(lambda _: Completed(0, printed, ""), "sbatch")
    with pytest.raises(ControllerAway):
        submit(fake)


def test_a_refusal_carries_slurms_words_and_whether_to_try_again(fake: FakeSlurm) -> None:
    fake.fail(fake_slurm.refusing("Invalid partition name specified"), "sbatch")
    with pytest.raises(SubmissionRefused) as raised:
        submit(fake)
    assert raised.value.what == "SLURM refused the job: Invalid partition name specified."
    assert "Batch job submission failed" in raised.value.detail
    assert "--partition" in raised.value.remedy
    assert not raised.value.transient
    fake.fail(fake_slurm.refusing("Resource temporarily unavailable"), "sbatch")
    with pytest.raises(SubmissionRefused) as raised:
        submit(fake)
    assert raised.value.transient
    assert fake.count("squeue") == 0


def test_a_controller_that_is_away_takes_no_job_and_the_next_try_does(fake: FakeSlurm) -> None:
    slurm = Slurm(fake)
    fake.fail(fake_slurm.away)
    with pytest.raises(ControllerAway) as raised:
        run_without_waiting(slurm.submit(SCRIPT, "pool-1"))
    assert "Unable to contact slurm controller" in raised.value.detail
    fake.heal()
    assert run_without_waiting(slurm.submit(SCRIPT, "pool-1")) == "1"
    assert fake.count("squeue") == 0


def test_a_job_whose_submission_broke_off_is_found_by_its_name(fake: FakeSlurm) -> None:
    fake.fail(fake_slurm.broken_off, "sbatch")
    assert submit(fake) == "1"
    assert list(fake.jobs) == ["1"]


def test_a_job_that_took_too_long_to_submit_is_found_by_its_name() -> None:
    class Slow(FakeSlurm):
        """Takes the job, and then hangs."""

        async def run(
            self,
            words: Sequence[str],
            stdin: bytes | None = None,
            *,
            variables: Mapping[str, str] | None = None,
        ) -> Completed:
            done = await super().run(words, stdin, variables=variables)
            await asyncio.sleep(600 if words[0] == "sbatch" else 0)
            return done

    slow = Slow()
    assert submit(slow) == "1"
    assert slow.count("sbatch") == 1


def test_a_job_that_already_ended_when_it_is_looked_for_is_found_in_accounting(fake: FakeSlurm) -> None:
    def take_and_forget(answer: Answer) -> Completed:
        answer()
        fake.jobs["1"].start()
        fake.jobs["1"].end("COMPLETED")
        fake.jobs["1"].forget()
        return fake_slurm.broken_off(lambda: Completed(0, "", ""))

    fake.fail(take_and_forget, "sbatch")
    assert submit(fake) == "1"


def test_no_second_submission_before_it_is_sure_that_the_first_left_nothing(fake: FakeSlurm) -> None:
    slurm = Slurm(fake)
    fake.fail(fake_slurm.away)
    fake.fail(fake_slurm.broken_off, "sbatch")
    for _ in range(5):
        with pytest.raises(ControllerAway):
            run_without_waiting(slurm.submit(SCRIPT, "pool-1"))
    assert fake.count("sbatch") == 1
    fake.heal()
    assert run_without_waiting(slurm.submit(SCRIPT, "pool-1")) == "1"
    assert list(fake.jobs) == ["1"]


def test_a_lost_submission_is_tried_again_after_answers_that_agree(fake: FakeSlurm) -> None:
    slurm = Slurm(fake)

    async def lose_and_repeat() -> tuple[float, str]:
        began = asyncio.get_running_loop().time()
        fake.fail(lambda _: Completed(-9, "", ""), "sbatch")
        with pytest.raises(ControllerAway, match="may be tried again"):
            await slurm.submit(SCRIPT, "pool-1")
        took = asyncio.get_running_loop().time() - began
        fake.heal()
        return took, await slurm.submit(SCRIPT, "pool-1")

    took, job = run_without_waiting(lose_and_repeat())
    assert took >= 10
    assert fake.count("squeue") == 3
    assert (job, fake.count("sbatch")) == ("1", 2)


@pytest.mark.parametrize("name", ["", "a,b", "a b", "a'b"])
def test_a_name_that_would_not_find_its_job_again_is_a_mistake(fake: FakeSlurm, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        submit(fake, name)


def test_one_squeue_tells_of_all_jobs(fake: FakeSlurm) -> None:
    ids = [submit(fake, f"pool-{number}") for number in range(200)]
    fake.jobs["7"].start("n3")
    queue = run_without_waiting(Slurm(fake).queue(ids))
    assert len(queue) == 200
    assert (queue["7"].state, queue["7"].node) == ("RUNNING", "n3")
    assert fake.count("squeue") == 1


def test_a_job_that_the_controller_forgot_is_not_in_the_queue(fake: FakeSlurm) -> None:
    submit(fake, "a")
    submit(fake, "b")
    fake.jobs["1"].forget()
    assert list(run_without_waiting(Slurm(fake).queue(["1", "2"]))) == ["2"]
    assert run_without_waiting(Slurm(fake).queue(["1"])) == {}
    assert run_without_waiting(Slurm(fake).queue([])) == {}


@pytest.mark.parametrize("fault", [fake_slurm.away, fake_slurm.garbage, fake_slurm.silence])
def test_who_does_not_answer_is_away(fake: FakeSlurm, fault: fake_slurm.Fault) -> None:
    submit(fake)
    fake.jobs["1"].end("COMPLETED")
    fake.fail(fault)
    slurm = Slurm(fake)
    for question in (slurm.queue, slurm.ended, slurm.shown):
        with pytest.raises(ControllerAway):
            run_without_waiting(question(["1"]))


def test_who_takes_too_long_is_away(fake: FakeSlurm) -> None:
    fake.seconds = 100
    with pytest.raises(ControllerAway, match="squeue did not answer within 60 s"):
        run_without_waiting(Slurm(fake).queue(["1"]))


def test_missing_commands_are_told_as_such(fake: FakeSlurm) -> None:
    fake.fail(lambda _: Completed(127, "", "squeue: not found on PATH"))
    with pytest.raises(ControllerAway, match="no squeue on PATH"):
        run_without_waiting(Slurm(fake).queue(["1"]))


def test_a_banner_with_numbers_changes_nothing(fake: FakeSlurm) -> None:
    fake.banner = "Maintenance on 1 December: 2 nodes, 3 hours\n7|RUNNING|None\n"
    slurm = Slurm(fake)
    job = run_without_waiting(slurm.submit(SCRIPT, "a"))
    assert job == "1"
    assert list(run_without_waiting(slurm.queue([job]))) == ["1"]
    fake.jobs["1"].start()
    fake.jobs["1"].end("FAILED", "3:0")
    assert run_without_waiting(slurm.ended([job]))["1"].exit_code == 3


def test_only_final_jobs_have_ended(fake: FakeSlurm) -> None:
    ids = [submit(fake, f"job-{number}") for number in range(3)]
    fake.jobs["1"].start()
    fake.jobs["2"].start("n2")
    fake.jobs["2"].end("OUT_OF_MEMORY", "0:125", peak="988282K")
    ends = run_without_waiting(Slurm(fake).ended(ids))
    assert list(ends) == ["2"]
    assert ends["2"].explanation == (
        "SLURM job 2 on n2 was killed for memory: it had 1000 MB and used 1012 MB."
    )
    assert fake.count("sacct") == 1


def test_who_cancelled_is_told_by_name(fake: FakeSlurm) -> None:
    submit(fake)
    fake.jobs["1"].start()
    fake.jobs["1"].cancelled_by = 1001
    fake.jobs["1"].end("CANCELLED")
    end = run_without_waiting(Slurm(fake).ended(["1"]))["1"]
    assert (end.cause, end.cancelled_by) == (JobCause.CANCELLED, "user1001")


def test_without_accounting_the_controller_is_asked_and_sacct_never_again(fake: FakeSlurm) -> None:
    fake.accounting = False
    slurm = Slurm(fake)
    for name in ("a", "b", "c"):
        run_without_waiting(slurm.submit(SCRIPT, name))
    fake.jobs["1"].start()
    fake.jobs["1"].end("PREEMPTED")
    fake.jobs["3"].forget()
    for _ in range(3):
        ends = run_without_waiting(slurm.ended(["1", "2", "3"]))
        assert {job: end.cause for job, end in ends.items()} == {"1": JobCause.PREEMPTED}
    assert fake.count("sacct") == 1
    assert run_without_waiting(slurm.find_by_name("b")) == ["2"]


def test_jobs_are_cancelled_by_id_and_by_name(fake: FakeSlurm) -> None:
    slurm = Slurm(fake)
    for name in ("a", "b", "c"):
        run_without_waiting(slurm.submit(SCRIPT, name))
    run_without_waiting(slurm.cancel(["1"]))
    run_without_waiting(slurm.cancel_named("b"))
    assert [job.state for job in fake.jobs.values()] == ["CANCELLED", "CANCELLED", "PENDING"]
    run_without_waiting(slurm.cancel([]))
    assert fake.count("scancel") == 2


def test_cancelling_what_is_over_is_no_error_and_being_unable_to_is(fake: FakeSlurm) -> None:
    slurm = Slurm(fake)
    words = "scancel: error: Kill job error on job id 5: "
    fake.fail(lambda _: Completed(1, "", words + "Job/step already completing or completed"), "scancel")
    run_without_waiting(slurm.cancel(["5"]))
    fake.fail(lambda _: Completed(1, "", words + "Access/permission denied"), "scancel")
    with pytest.raises(ClusterError, match="does not let you"):
        run_without_waiting(slurm.cancel(["5"]))
    fake.fail(fake_slurm.away, "scancel")
    with pytest.raises(ControllerAway):
        run_without_waiting(slurm.cancel(["5"]))
