"""Scripts: what is refused before anything runs, when the script goes on, by what it is cut, what is told of it."""

from tests.mutants.operators import Drop, Negate
from tests.mutants.row import Row

RUN = "swaplab.story.run"
VALIDATE = "swaplab.story.validate"

RUNS = "swaplab/story/test_script_run.py::"
MODEL = "swaplab/story/test_script_model.py::"

REFUSED = MODEL + "test_a_call_that_cannot_be_is_named"
BOUNDS = RUNS + "test_whatever_is_asked_ends_within_its_bounds"

ROWS = [
    Row("script: a name is bound once", VALIDATE, "_CallCheck._check_names", Negate("binds"), [REFUSED]),
    Row("script: lists are flat", VALIDATE, "_CallCheck._check_item", Negate("in_list"), [REFUSED]),
    Row("script: what is not acomp's is checked first", VALIDATE, "_CallCheck.check", Drop("_check_own"), [REFUSED]),
    Row(
        "script: a key is there once",
        VALIDATE,
        "_once_each",
        Negate("pairs"),
        [MODEL + "test_what_is_hostile_is_refused"],
    ),
    Row(
        "script: behind a task the script waits until nothing is ready",
        RUN,
        "_Run._run_call",
        Drop("settled"),
        [RUNS + "test_a_task_goes_on_until_nothing_is_ready_and_time_stands_still"],
    ),
    Row("script: too many events cut the run", RUN, "_Run._run_calls", Negate("full"), [BOUNDS]),
    Row("script: too much work cuts it, too", RUN, "_Run._run_calls", Negate("_work_bytes"), [BOUNDS]),
    Row(
        "script: and so does the clock",
        RUN,
        "_Run._bounded",
        Drop("cut"),
        [RUNS + "test_whoever_waits_for_ever_is_cut_by_the_clock"],
    ),
    Row(
        "script: tasks are cancelled at the end",
        "swaplab.story.ending",
        "End._cancelled",
        Drop("cancel"),
        [RUNS + "test_what_was_left_is_told_and_cleared"],
    ),
    Row(
        "script: the nth arrival from now fails, and no other",
        "swaplab.story.machine",
        "Faults.decide",
        Negate("_asked"),
        [RUNS + "test_a_head_that_is_refused"],
    ),
    Row(
        "script: messages have the names of requests",
        "swaplab.story.objects",
        "Objects.failure",
        Drop("message"),
        [RUNS + "test_a_cancelled_chain_leaves_its_jobs_and_they_are_told"],
    ),
    Row(
        "script: a head that was refused speaks for all",
        "swaplab.story.outcomes",
        "Outcomes._role",
        Negate("is_refused"),
        [RUNS + "test_a_head_that_is_refused"],
    ),
    Row(
        "requests: the head of a chain is in flight where no runner moves it",
        "acomp.entry",
        "_enter",
        Negate("cra_flags"),
        ["iaa_emulator/test_driver.py::test_a_head_that_was_freed_before_its_coroutine_began_takes_no_descriptor"],
    ),
]
