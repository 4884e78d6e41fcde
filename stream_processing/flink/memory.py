"""How the memory of a manager is shared out: all of it, so that the process stays within what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass

METASPACE_MB = 192
OVERHEAD_MB = 128
"""Of a JVM beside heap, direct memory and metaspace: threads, code, its own data."""
FRAMEWORK_HEAP_MB = 128
FRAMEWORK_DIRECT_MB = 64
TASK_DIRECT_MB = 32
NETWORK_MB = 64
MANAGED_SHARE = 0.3
"""Of what is left for tasks: RocksDB's caches and buffers, in which open windows are held."""


@dataclass(frozen=True)
class TaskManagerMemory:
    """In MiB; the sum of all is what the process was given."""

    task_heap: int
    managed: int

    @classmethod
    def of(cls, process_mb: int) -> "TaskManagerMemory":
        """Shares out ``process_mb``, of which the fixed parts take 608."""
        fixed = METASPACE_MB + OVERHEAD_MB + FRAMEWORK_HEAP_MB + FRAMEWORK_DIRECT_MB + TASK_DIRECT_MB + NETWORK_MB
        left = process_mb - fixed
        managed = int(left * MANAGED_SHARE)
        return cls(left - managed, managed)

    def java_options(self) -> tuple[str, ...]:
        """What bounds the JVM."""
        heap, direct = self.task_heap + FRAMEWORK_HEAP_MB, FRAMEWORK_DIRECT_MB + TASK_DIRECT_MB + NETWORK_MB
        return (
            f"-Xmx{heap}m",
            "-Xms64m",
            f"-XX:MaxDirectMemorySize={direct}m",
            f"-XX:MaxMetaspaceSize={METASPACE_MB}m",
        )

    def configuration(self) -> Mapping[str, str]:
        """What Flink itself is told of it: a task manager does not start without."""
        parts = {
            "framework.heap.size": FRAMEWORK_HEAP_MB,
            "task.heap.size": self.task_heap,
            "framework.off-heap.size": FRAMEWORK_DIRECT_MB,
            "task.off-heap.size": TASK_DIRECT_MB,
            "network.min": NETWORK_MB,
            "network.max": NETWORK_MB,
            "managed.size": self.managed,
            "jvm-metaspace.size": METASPACE_MB,
            "jvm-overhead.min": OVERHEAD_MB,
            "jvm-overhead.max": OVERHEAD_MB,
        }
        return {f"taskmanager.memory.{name}": f"{size}m" for name, size in parts.items()}


def job_manager_java_options(process_mb: int) -> tuple[str, ...]:
    """What bounds the job manager's JVM: its heap is what metaspace, direct memory and overhead leave."""
    heap = process_mb - METASPACE_MB - OVERHEAD_MB - FRAMEWORK_DIRECT_MB
    direct = f"-XX:MaxDirectMemorySize={FRAMEWORK_DIRECT_MB}m"
    return (f"-Xmx{heap}m", "-Xms64m", direct, f"-XX:MaxMetaspaceSize={METASPACE_MB}m")
