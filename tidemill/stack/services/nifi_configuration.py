"""NiFi's own configuration, made from the settings; all that it writes is in one folder of the home."""

from pathlib import Path

from tidemill.config.secrets import secret
from tidemill.config.settings import Settings
from tidemill.stack.service import Endpoint
from tidemill.stack.services.kafka import property_value

EXTENSIONS = Path(__file__).resolve().parents[3] / "ingestion_layer" / "nifi"
"""The folder of our processors and of the program that runs them."""

PROPERTIES = """\
nifi.web.http.host={host}
nifi.web.http.port={port}
nifi.web.https.host=
nifi.web.https.port=
nifi.web.jetty.working.directory={folder}/work/jetty
nifi.web.jetty.threads=20
nifi.web.max.header.size=16 KB
nifi.web.should.send.server.version=false
nifi.remote.input.secure=false
nifi.remote.input.http.enabled=false
nifi.sensitive.props.key={secret}
nifi.sensitive.props.algorithm=NIFI_PBKDF2_AES_GCM_256
nifi.security.user.authorizer=managed-authorizer
nifi.security.allow.anonymous.authentication=false
nifi.authorizer.configuration.file={folder}/conf/authorizers.xml
nifi.login.identity.provider.configuration.file={folder}/conf/login-identity-providers.xml
nifi.flow.configuration.file={folder}/conf/flow.json.gz
nifi.flow.configuration.archive.enabled=false
nifi.flowcontroller.autoResumeState=true
nifi.flowcontroller.graceful.shutdown.period=10 sec
nifi.flowservice.writedelay.interval=500 ms
nifi.administrative.yield.duration=5 sec
nifi.bored.yield.duration=10 millis
nifi.queue.backpressure.count=10000
nifi.queue.backpressure.size=1 GB
nifi.nar.library.directory={parts}
nifi.nar.library.autoload.directory={folder}/extensions
nifi.nar.working.directory={folder}/work/nar
nifi.nar.unpack.uber.jar=false
nifi.nar.persistence.provider.properties.directory={folder}/nar_repository
nifi.asset.manager.properties.directory={folder}/assets
nifi.documentation.working.directory={folder}/work/docs/components
nifi.python.command={extensions}/python
nifi.python.framework.source.directory={parts}/python/framework
nifi.python.extensions.source.directory.default={extensions}/extensions
nifi.python.working.directory={folder}/work/python
nifi.python.max.processes=4
nifi.python.max.processes.per.extension.type=1
nifi.python.logs.directory={folder}/logs
nifi.state.management.configuration.file={folder}/conf/state-management.xml
nifi.state.management.provider.local=local-provider
nifi.state.management.embedded.zookeeper.start=false
nifi.database.directory={folder}/database_repository
nifi.flowfile.repository.implementation=org.apache.nifi.controller.repository.WriteAheadFlowFileRepository
nifi.flowfile.repository.directory={folder}/flowfile_repository
nifi.flowfile.repository.checkpoint.interval=20 secs
nifi.flowfile.repository.always.sync=false
nifi.flowfile.repository.retain.orphaned.flowfiles=true
nifi.swap.manager.implementation=org.apache.nifi.controller.FileSystemSwapManager
nifi.queue.swap.threshold=20000
nifi.content.repository.implementation=org.apache.nifi.controller.repository.FileSystemRepository
nifi.content.claim.max.appendable.size=50 KB
nifi.content.repository.directory.default={folder}/content_repository
nifi.content.repository.archive.max.retention.period=1 hours
nifi.content.repository.archive.max.usage.percentage=50%
nifi.content.repository.archive.enabled=false
nifi.content.repository.always.sync=false
nifi.provenance.repository.implementation=org.apache.nifi.provenance.WriteAheadProvenanceRepository
nifi.provenance.repository.directory.default={folder}/provenance_repository
nifi.provenance.repository.max.storage.time=1 days
nifi.provenance.repository.max.storage.size=200 MB
nifi.provenance.repository.rollover.time=10 mins
nifi.provenance.repository.rollover.size=50 MB
nifi.provenance.repository.query.threads=1
nifi.provenance.repository.index.threads=1
nifi.provenance.repository.compress.on.rollover=true
nifi.provenance.repository.always.sync=false
nifi.provenance.repository.indexed.fields=EventType, FlowFileUUID, Filename, ProcessorID
nifi.provenance.repository.index.shard.size=50 MB
nifi.provenance.repository.max.attribute.length=65536
nifi.provenance.repository.concurrent.merge.threads=1
nifi.components.status.repository.implementation=org.apache.nifi.controller.status.history.VolatileComponentStatusRepository
nifi.components.status.repository.buffer.size=60
nifi.components.status.snapshot.frequency=1 min
nifi.cluster.is.node=false
nifi.cluster.protocol.is.secure=false
"""

STATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<stateManagement>
  <local-provider>
    <id>local-provider</id>
    <class>org.apache.nifi.controller.state.providers.local.WriteAheadLocalStateProvider</class>
    <property name="Directory">{folder}/state/local</property>
    <property name="Always Sync">false</property>
    <property name="Partitions">4</property>
    <property name="Checkpoint Interval">2 mins</property>
  </local-provider>
</stateManagement>
"""


def folder_of(settings: Settings) -> Path:
    """Of all that NiFi keeps: its configuration, queues, contents and provenance."""
    return settings.home / "nifi"


def parts_folder(settings: Settings) -> Path:
    """What set-up has put together."""
    return settings.spark.jars.parent / "nifi"


def configuration_files(settings: Settings, address: Endpoint) -> dict[str, str]:
    """Each file of ``conf`` that is made anew at every start, by its path, with its text."""
    folder = folder_of(settings)
    conf = folder / "conf"
    return {
        str(conf / "nifi.properties"): _properties(settings, address),
        str(conf / "state-management.xml"): STATE.format(folder=_xml(str(folder))),
        str(conf / "authorizers.xml"): "<authorizers/>\n",
        str(conf / "login-identity-providers.xml"): "<loginIdentityProviders/>\n",
    }


def _properties(settings: Settings, address: Endpoint) -> str:
    return PROPERTIES.format(
        host=address.host,
        port=address.port,
        secret=secret(settings, "nifi_properties").get_secret_value(),
        folder=property_value(folder_of(settings)),
        parts=property_value(parts_folder(settings)),
        extensions=property_value(EXTENSIONS),
    )


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
