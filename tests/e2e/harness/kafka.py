# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka: one node that is broker and controller, on loopback, with its data in the test's directory; and what its own client
reads from a topic."""
import base64
import os
import signal
import subprocess

from . import build
from .process import Process, accepts, free_port, wait_until
from .servers import APPS

CONFIG = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name={protocol}
listener.security.protocol.map={protocol}:{protocol},CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
num.network.threads=1
num.io.threads=2
{more}
"""


class Kafka:
    """protocol: PLAINTEXT, SSL, SASL_SSL ...; `more` are lines of the broker's configuration."""

    def __init__(self, work, protocol="PLAINTEXT", more=""):
        self.work = work
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.java = [build.program("java"), "-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                     "-cp", build.kafka()]
        self.config = os.path.join(work, "kafka.properties")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(port=self.port, controller=free_port(), protocol=protocol, data=f"{work}/kafka-data", more=more))
        self.run("kafka.tools.StorageTool", "format", "-t", "c29uZGUtdGVzdC1rYWZrYQ", "-c", self.config)
        self.start()

    def run(self, *arguments):
        done = subprocess.run([*self.java, *arguments], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, (arguments, done.stderr[-2000:])
        return done.stdout

    def start(self):
        self.process = Process([*self.java, "kafka.Kafka", self.config], self.work, "kafka")
        wait_until(self.listens, "Kafka listens", 60)

    def listens(self):
        assert self.process.running(), f"Kafka ended: {self.process.stderr()[-2000:]}"
        return accepts(("127.0.0.1", self.port))

    def kill(self):
        self.process.stop(signal.SIGKILL)

    def messages(self, topic="otlp_spans", properties=None):
        """The values; none has a key."""
        lines = self.run(os.path.join(APPS, "kafka", "ReadTopic.java"), self.address, topic, *filter(None, [properties])).split("\n")
        pairs = [line.split(" ") for line in lines if line]
        assert {key for key, _ in pairs} <= {"-"}
        return [base64.b64decode(value) for _, value in pairs]

    def stop(self):
        self.process.stop()
