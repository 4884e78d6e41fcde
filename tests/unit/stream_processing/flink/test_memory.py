"""Memory is shared out to the last megabyte."""

import re

import pytest

from stream_processing.flink.memory import TaskManagerMemory, job_manager_java_options


@pytest.mark.parametrize("process_mb", [1024, 1280, 4096])
def test_the_parts_of_a_task_manager_are_what_it_was_given(process_mb: int) -> None:
    sizes = {
        name.removeprefix("taskmanager.memory."): int(size.removesuffix("m"))
        for name, size in TaskManagerMemory.of(process_mb).configuration().items()
    }
    counted = sum(size for name, size in sizes.items() if name not in {"network.min", "jvm-overhead.min"})
    assert counted == process_mb
    assert sizes["task.heap.size"] > 100


@pytest.mark.parametrize("process_mb", [512, 768])
def test_the_heap_of_a_job_manager_leaves_room_for_the_rest(process_mb: int) -> None:
    options = " ".join(job_manager_java_options(process_mb))
    heap, direct, metaspace = (
        int(re.search(rf"{name}=?(\d+)m", options)[1]) for name in ("Xmx", "DirectMemorySize", "MetaspaceSize")
    )  # type: ignore[index]
    assert heap >= 128
    assert heap + direct + metaspace < process_mb
