"""The sections of the settings: what can be set, its default and its bounds."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tidemill.config import installation
from tidemill.config.errors import ConfigError
from tidemill.config.formats import (
    ControlUrl,
    Cron,
    DatabaseUrl,
    Executor,
    FilesOfTopics,
    Host,
    HostPort,
    HostPorts,
    HttpUrl,
    Master,
    Place,
    Topics,
    UseCases,
    UseCaseSchedules,
)
from tidemill.config.project import Project


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Kafka(Section):
    bootstrap_servers: HostPorts = Field("127.0.0.1:9092", description="host:port[,host:port]")
    controller_port: int = Field(9093, ge=1, le=65535, description="KRaft controller of the local broker")
    partitions: int = Field(4, ge=1, description="partitions of a topic this project creates")
    replication: int = Field(1, ge=1, description="copies of each partition of such a topic")
    retention_ms: int = Field(-1, ge=-1, description="of a topic this project creates; -1 keeps every message")
    delivery_timeout_s: float = Field(60.0, gt=0, description="how long a message may stay unacknowledged")
    heap_mb: int = Field(512, ge=256, description="of the local broker's JVM")
    client: dict[str, str] = Field(default_factory=dict, description="extra librdkafka options (security, ...)")


class Redis(Section):
    host: Host = Field("127.0.0.1", description="of the online feature store")
    port: int = Field(6379, ge=1, le=65535, description="of the online feature store")
    password: SecretStr | None = Field(None, description="of the Redis at that address")
    max_memory_mb: int = Field(512, ge=16, description="of the local Redis, which then refuses writes")


class Mlflow(Section):
    tracking_uri: HttpUrl = Field("http://127.0.0.1:5000", description="of the tracking server and its registry")
    timeout_s: float = Field(5.0, gt=0, description="one request to the tracking server")


class Lake(Section):
    root: Place = Field("{home}/lake", description="folder or object-store URI; {home} is replaced")
    storage_options: dict[str, str] = Field(default_factory=dict, description="delta-rs object-store options")


class Spark(Section):
    master: Master = Field("local[2]", description="local[N], local[*], spark://HOST:PORT, yarn, or k8s://...")
    driver_memory_mb: int = Field(1536, ge=512, description="heap of a batch job's driver")
    shuffle_partitions: int = Field(4, ge=1, description="tasks of a shuffle")
    events_a_task: int = Field(1_000_000, ge=1, description="of window features, that one task holds")
    jars: Path = Field(
        default_factory=lambda: installation.jars_folder() / "spark", description="folder of jars that set-up fills"
    )
    conf: dict[str, str] = Field(default_factory=dict, description="further Spark properties")


class Stream(Section):
    checkpoints: Place = Field(
        "{home}/checkpoints", description="folder or URI of where each query has come to; {home} is replaced"
    )
    topics: Topics = Field(default_factory=list, description="that one application reads; empty: every contract's")
    kafka_options: dict[str, str] = Field(
        default_factory=dict, description="extra options of Spark's Kafka source (kafka.security.protocol, ...)"
    )
    isolation: Literal["read_committed", "read_uncommitted"] = Field(
        "read_committed", description="which messages of transactional producers are read: committed ones, or all"
    )
    topic_watch_s: float = Field(10.0, gt=0, description="how often a running query asks which topic the broker has")
    trigger_s: float = Field(
        2.0, ge=0, description="how often messages are taken from Kafka, of all topics in one batch"
    )
    poll_s: float = Field(0.5, ge=0, description="how often silver and features look for a new commit of their source")
    max_offsets_per_trigger: int = Field(
        300_000, ge=1, description="messages that one batch takes from Kafka, of all its topics together"
    )
    max_files_per_trigger: int = Field(
        1_000, ge=1, description="files of a backlog that one batch of silver, or of a feature group, reads"
    )
    max_bytes_per_trigger_mb: int = Field(64, ge=1, description="bronze files, compressed, that one silver batch reads")
    identity_filter_mb: int = Field(
        16, ge=1, description="at most, a topic, of the filter that knows new events without a look: 4 bytes an event"
    )
    earliest_event: date = Field(date(2000, 1, 1), description="events before this UTC date are quarantined")
    latest_skew_s: float = Field(86_400, ge=0, description="how far after the broker's time an event may be")
    stuck_after_s: float = Field(300.0, gt=0, description="a batch of which no task ends for so long is stuck")
    scrub_s: float = Field(30.0, gt=0, description="all online states are compared with their ledger in so long")
    metrics_address: HostPort = Field("127.0.0.1:9108", description="where the application says how far it is")
    driver_memory_mb: int = Field(2048, ge=512, description="heap of the application's driver")


class Events(Section):
    """The server that takes events over HTTP; off unless it is asked for."""

    url: HttpUrl = Field("http://127.0.0.1:8085", description="where it listens")
    allowed_origins: list[str] = Field(
        default_factory=list, description="of web pages whose scripts may send, such as https://shop.example; * for any"
    )
    max_body_bytes: int = Field(4_000_000, ge=1, description="of one request; beyond it: 413")
    queue_mb: int = Field(64, ge=1, description="of bodies that the broker has not acknowledged; beyond it: 429")
    acknowledge_timeout_s: float = Field(10.0, ge=1, description="for the broker to acknowledge; after it: 503")
    body_timeout_s: float = Field(30.0, gt=0, description="for a body to arrive; after it: 408")
    keep_alive_s: float = Field(75.0, gt=0, description="a connection without a request stays open so long")
    receipt_days: int = Field(30, ge=1, description="a key of a batch of lines is known so long")


class Schedules(Section):
    """When each DAG runs: cron expressions, in UTC."""

    lakehouse_gold: Cron = Field("*/15 * * * *", description="gold tables and data quality are brought up to silver")
    lakehouse_maintenance: Cron = Field("40 2 * * *", description="the lake's tables are kept up")
    feature_consistency: Cron = Field("30 4 * * *", description="served features are compared with the lake's")
    prediction_outcomes: Cron = Field("20 * * * *", description="what came true is joined to logged predictions")
    stream_keepalive: Cron = Field("*/5 * * * *", description="a stream that stands still is started anew")
    retrain: Cron = Field("*/10 * * * *", description="of each use case's: when it looks for open requests")
    rollout: Cron = Field("*/5 * * * *", description="of each use case's: when its rollout goes a step further")
    request: UseCaseSchedules = Field(
        default_factory=dict,
        description="when a use case's model is asked for, instead of the schedule in its model.yaml",
    )
    monitor: UseCaseSchedules = Field(
        default_factory=dict, description="of a use case's looks for drift, instead of the one in its model.yaml"
    )


class Airflow(Section):
    url: HttpUrl = Field("http://127.0.0.1:8080", description="of its pages and its REST API")
    environment: Path = Field(
        default_factory=installation.airflow_environment, description="folder of Airflow's own Python environment"
    )
    user: str = Field("admin", description="who signs in; the password is a secret")
    executor: Executor = Field(
        "LocalExecutor",
        description="LocalExecutor, CeleryExecutor, KubernetesExecutor or a class's import path; several with commas",
    )
    parallelism: int = Field(3, ge=1, description="tasks that run at once")
    spark_slots: int = Field(1, ge=1, description="slots of the pool `spark`: batch jobs on Spark that run at once")
    retry_delay_s: float = Field(30.0, gt=0, description="before a failed task's second try; then doubled each time")
    database: DatabaseUrl = Field("sqlite:///{home}/airflow/airflow.db", description="SQLAlchemy URL")
    schedules: Schedules = Schedules()


class Flink(Section):
    """The cluster that finds sessions and patterns; off unless it is asked for, or a job is deployed."""

    url: HttpUrl = Field("http://127.0.0.1:8081", description="of the web pages and the REST API of the job manager")
    rpc_port: int = Field(6123, ge=1, le=65535, description="where task managers find the local job manager")
    environment: Path = Field(
        default_factory=installation.flink_environment, description="folder of Flink's own Python environment"
    )
    job_manager_mb: int = Field(768, ge=512, description="memory of the local job manager")
    task_manager_mb: int = Field(1792, ge=1024, description="memory of the local task manager")
    slots: int = Field(2, ge=1, description="of the local task manager: jobs times parallelism that it can run")
    parallelism: int = Field(1, ge=1, description="of a job")
    state: Place = Field("{home}/flink", description="folder of checkpoints and savepoints, which all managers share")
    checkpoint_s: float = Field(10.0, gt=0, description="how often a job notes where it is")
    watch_s: float = Field(2.0, gt=0, description="how often it is looked whether each deployed job runs")
    kafka_options: dict[str, str] = Field(
        default_factory=dict, description="extra options of Flink's Kafka clients (security.protocol, ...)"
    )


class Nifi(Section):
    """Optional flows from partners' files and servers into Kafka; off unless it is asked for."""

    url: HttpUrl = Field("http://127.0.0.1:8082", description="of NiFi's web pages")
    management_port: int = Field(8083, ge=1024, le=65535, description="where NiFi tells programs whether it is well")
    receiver_port: int = Field(8084, ge=1, le=65535, description="where it takes batches over HTTP")
    java_home: Path | None = Field(
        None,
        description="of its Java, 21 or newer; none: JAVA_HOME or PATH if it is new enough, else one installed here",
    )
    heap_mb: int = Field(768, ge=512, le=1536, description="of its JVM; its Python processes come on top")
    pages: dict[str, HttpUrl] = Field(default_factory=dict, description="that are polled: their URLs by mapping")
    poll_s: float = Field(60.0, gt=0, description="how often a page is asked for what is new")
    inbox: Place = Field(
        "{home}/inbox", description="where partners put files, into a folder a mapping; {home} is replaced"
    )


class Flume(Section):
    """The agent that tails log files of JSON lines into topics; off unless it is asked for."""

    files: FilesOfTopics = Field(
        default_factory=dict, description="by topic the files to tail, as /var/log/shop/clicks.jsonl*; rotated ones too"
    )
    capacity: int = Field(100_000, ge=1_000, description="lines of a topic that wait for the broker in its channel")
    heap_mb: int = Field(256, ge=128, description="of its JVM")
    kafka_options: dict[str, str] = Field(
        default_factory=dict, description="extra options of its Kafka producer (security.protocol, ...)"
    )


class Control(Section):
    """Where retrain requests and rollouts are kept."""

    url: ControlUrl = Field(
        "sqlite:///{home}/control.db", description="SQLite's file, or postgresql+psycopg://user@host/database"
    )
    password: SecretStr | None = Field(None, description="of the user that the URL names")
    lease_s: float = Field(
        60.0, gt=0, description="how long who works on a request may be silent; then another may take it over"
    )


class Drift(Section):
    """What is drift, and how often a monitor may be wrong."""

    alpha: float = Field(0.05, gt=0, lt=1, description="probability of any false alarm in a period")
    period_h: float = Field(168.0, gt=0, description="that alpha is of; not shorter than cadence_h")
    cadence_h: float = Field(6.0, gt=0, description="a look spends of alpha what so many hours are worth, at most")
    shift: float = Field(0.125, gt=0, description="how far a column may move before it matters, in standard deviations")
    least_rows: int = Field(100, ge=2, description="of fewer nothing is said")
    volume_ratio: float = Field(2.0, gt=1, description="so many times as many answers as usual, or as few, matter")
    most_age_h: float | None = Field(None, gt=0, description="of the newest answer; none: an old one is no finding")
    sample_rows: int = Field(5_000, ge=200, description="at most, that the classifier and the estimates look at")


class Feast(Section):
    registry: Place = Field("{home}/feast/registry.db", description="path or URI; Feast picks the store by its scheme")
    write_chunk_rows: int = Field(2_000, ge=1, description="rows sent to the online store at a time")


class Serving(Section):
    url: HttpUrl = Field("http://127.0.0.1:8000", description="where the model server listens")
    workers: int = Field(1, ge=1, description="processes that answer, each with the models in its memory")
    use_cases: UseCases = Field(
        default_factory=lambda: Project().trained(),
        description="that have routes and states; the default is all that can be trained",
    )
    reload_s: float = Field(3.0, gt=0, description="how often the registry is asked for a new champion")
    keep_alive_s: float = Field(
        75.0, gt=0, description="a connection without a request stays open so long: longer than at the proxy before it"
    )
    feature_timeout_s: float = Field(
        0.25, gt=0, description="for the online store; then the answer is that of a cold start, and says so"
    )
    explain_timeout_s: float = Field(
        2.0, gt=0, description="for the reasons of one answer, its wait for others included"
    )
    challenger_timeout_s: float = Field(
        1.0, gt=0, description="for an answer of the challenger of a rollout; then the champion answers"
    )
    shadow_queue: int = Field(10_000, ge=1, description="predictions waiting for a shadow to score; more are dropped")
    max_body_bytes: int = Field(1_000_000, ge=1, description="of one request; beyond it: 413")
    max_instances: int = Field(1_000, ge=1, description="that one request asks about")
    prediction_queue: int = Field(10_000, ge=1, description="predictions waiting to be logged; more are dropped")

    @property
    def first(self) -> str:
        """The use case that is meant where none is named.

        Raises:
            ConfigError: none is served.
        """
        for use_case in self.use_cases:
            return use_case
        raise ConfigError(
            "serving.use_cases is empty: no use case has features.py, labels.py and model.yaml yet, so none is served"
        )


class Ports(Section):
    """Of the local stack, where a setting of an address stands at its default."""

    offset: Annotated[int, Field(ge=0, le=50_000)] | Literal["auto"] = Field(
        0, description="what is added to each; auto: chosen once, so that all are free, and kept in the home folder"
    )
