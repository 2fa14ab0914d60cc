"""What may stand in the head of a SLURM script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.model.sbatch_lines import check_directive, check_variable, check_word, split_lines


@pytest.mark.parametrize("text", ["short", "gpu:a100:2", "n[1-4,7]", "[rack1|rack2]&fast", "lab_1.x"])
def test_options_of_one_word_are_taken(text: str) -> None:
    assert check_word(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a\n#SBATCH --wrap=x", "a\tb", "-x", "#a", "a#b", "'a'", 'a"', "a\\", "a\x00", "a\u2028b"],
)
def test_whatever_could_begin_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be one word"):
        check_word(text)


@pytest.mark.parametrize(
    "text",
    [
        "--qos=long",
        "--hint=nomultithread",
        "-C fast",
        "--exclusive",
        "--nodes=1",
        "--mem-bind=local",
        "--time-min=5",
    ],
)
def test_directives_of_one_line_are_taken(text: str) -> None:
    assert check_directive(text) == text


@pytest.mark.parametrize("text", ["", "qos=long", "--qos=long\nrm -r x", "-- x", "rm", "--\x1b[0m"])
def test_what_is_no_directive_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be one line that begins with an option"):
        check_directive(text)


@pytest.mark.parametrize(
    "text",
    [
        "--job-name=x",
        "-J x",
        "--job=x",
        "--output x",
        "-o/x",
        "-e x",
        "--array=1-9",
        "--wait",
        "--requeue",
        "--time=5",
        "-t5",
        "--mem=1G",
        "-c 2",
        "--cpus=2",
        "-n 4",
        "--qos=x --time=5",
    ],
)
def test_what_treadle_must_know_of_a_job_cannot_be_set(text: str) -> None:
    """An abbreviation is the option to `sbatch`, too."""
    with pytest.raises(ValueError, match="Treadle itself sets -"):
        check_directive(text)


@pytest.mark.parametrize("name", ["", "1A", "A B", "A;rm", "A=B", "Ä-"])
def test_only_what_a_shell_can_set_is_a_variable(name: str) -> None:
    assert check_variable("_TMP_1") == "_TMP_1"
    with pytest.raises(ValueError, match="environment variable"):
        check_variable(name)


def test_extra_lines_are_parted_and_none_is_kept_twice() -> None:
    directives, shell = split_lines(
        ["#SBATCH --qos=long", "module load x\n\nexport A=1", "#SBATCH   --qos=long", "module load x"]
    )
    assert directives == ("--qos=long",)
    assert shell == ("module load x", "export A=1")


@given(st.lists(st.sampled_from(["a", "b", "export A='1 2'", "", "  "]), max_size=6))
def test_shell_lines_keep_their_order_and_their_text(lines: list[str]) -> None:
    kept = [line for line in dict.fromkeys(lines) if line.strip()]
    assert split_lines(lines) == ((), tuple(kept))
    assert split_lines(["\n".join(lines)]) == ((), tuple(kept))
