# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka as the receiver: what its own client reads from the topic is what sonde sent, span by span."""
import codecs
import collections
import os
import re
import threading
import time

import pytest
from harness import load, servers, tls
from harness.jaeger import Jaeger
from harness.kafka import Kafka
from harness.process import wait_until
from harness.sink import decode, paths_of
from harness.spans import read_spans

pytestmark = pytest.mark.long
COUNT = 1000
IDS = re.compile(r'\n\s+trace_id: "((?:[^"\\]|\\.)*)"\n\s+span_id: "((?:[^"\\]|\\.)*)"')


@pytest.fixture
def server(work, started):
    return started(servers.nginx(work, "location / { return 200 'x'; }").start())


def requests(tag, count=COUNT):
    return [load.Request("GET", f"/{tag}/{i}") for i in range(count)]


def paths(messages):
    return [path for message in messages for path in paths_of(message, False)]


def ids(messages):
    def in_hex(text):
        return codecs.escape_decode(text.encode())[0].hex()

    return [(in_hex(trace), in_hex(span)) for message in messages for trace, span in IDS.findall(decode(message))]


def exported(run):
    return run.metric("sonde_export_spans_total", exporter="kafka", result="exported")


def with_file(work, text):
    path = os.path.join(work, "sonde.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'file_format: "1.0"\ntracer_provider: {{processors: [{{batch: {{exporter: {{kafka: {text}}}}}}}]}}\n')
    return "--config", path


def test_every_span_once(server, sonde, started, work):
    kafka = started(Kafka(work))
    sent = os.path.join(work, "sent.jsonl")
    run = sonde(*servers.selectors(server), exports=[f"kafka={kafka.address}/traces", f"file={sent}"])
    wanted = requests("kafka")
    load.run(server.address, wanted)
    wait_until(lambda: exported(run) == COUNT, "every span is delivered", 30)
    run.stop()
    messages = kafka.messages("traces")
    assert sorted(paths(messages)) == sorted(r.target for r in wanted)
    assert sorted(ids(messages)) == sorted((span.trace_id, span.span_id) for span in read_spans(sent))


def test_the_collectors_receiver_reads_it(server, sonde, started, work):
    """That of Jaeger, which stores it: every span comes out of its query API as sonde wrote it to the file."""
    kafka = started(Kafka(work))
    sent = os.path.join(work, "sent.jsonl")
    run = sonde(*servers.selectors(server), exports=[f"kafka={kafka.address}", f"file={sent}"])
    load.run(server.address, requests("jaeger"))
    wait_until(lambda: exported(run) == COUNT, "every span is delivered", 30)
    run.stop()
    jaeger = started(Jaeger(work, kafka=kafka.address))
    wait_until(lambda: len(jaeger.get("/api/traces", service="nginx", limit=2 * COUNT)["data"]) == COUNT, "Jaeger has every trace", 60)
    for span in read_spans(sent):
        assert [stored.facts for stored in jaeger.trace(span.trace_id)] == [span.facts]


@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_killed_and_started_again_under_load(queue, server, sonde, started, work):
    """kill -9 of the broker while spans come: none is missing, and the sum fits. What it had taken without saying so comes twice."""
    kafka = started(Kafka(work))
    on_disk = ["--queue-dir", f"{work}/queue"] if queue == "disk" else []
    run = sonde(*servers.selectors(server), *on_disk, exports=[f"kafka={kafka.address}"])
    sent, over = [], threading.Event()

    def ask():
        while not over.is_set():
            wanted = [load.Request("GET", f"/outage/{len(sent) + i}") for i in range(20)]
            load.run(server.address, wanted)
            sent.extend(r.target for r in wanted)
            time.sleep(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_until(lambda: exported(run) > 100, "some are delivered", 30)
        kafka.kill()
        wait_until(lambda: run.metric("sonde_export_batches_total", exporter="kafka", result="retry") > 0, "a retry", 30)
        before = exported(run)
        time.sleep(10)
        assert exported(run) == before and run.metric("sonde_export_queue_length") > 0
        kafka.start()
        wait_until(lambda: exported(run) > before, "it delivers again", 60)
        time.sleep(2)
    finally:
        over.set()
        asking.join()
    wait_until(lambda: run.metric("sonde_spans_total") == len(sent), "every request is a span", 20)
    wait_until(lambda: exported(run) == len(sent), "nothing waits any more", 60)
    assert run.metric("sonde_spans_dropped_total") == 0
    run.stop()
    assert "exporter kafka: topic otlp_spans: " in run.process.stderr() and "delivers again" in run.process.stderr()
    received = collections.Counter(paths(kafka.messages()))
    assert set(received) == set(sent)
    twice = sum(received.values()) - len(received)
    print(f"{len(sent)} spans, {twice} of them twice")
    assert twice <= 512  # the batch that was on its way


def test_away_when_sonde_stops(server, sonde, work):
    run = sonde(*servers.selectors(server), "--shutdown-timeout", "2s", exports=["kafka=127.0.0.1:1"])
    load.run(server.address, requests("away", 50))
    wait_until(lambda: run.metric("sonde_spans_total") == 50, "every request is a span", 20)
    begin = time.monotonic()
    run.stop()
    assert time.monotonic() - begin < 6
    assert "exporter kafka: 0 spans exported, 50 dropped" in run.process.stderr()


def test_batches_larger_than_the_broker_takes(server, sonde, started, work):
    kafka = started(Kafka(work, more="message.max.bytes=30000"))
    run = sonde(*servers.selectors(server), exports=[f"kafka={kafka.address}"], env={"OTEL_BSP_SCHEDULE_DELAY": "2000"})
    wanted = requests("large")
    load.run(server.address, wanted)
    wait_until(lambda: exported(run) == COUNT, "every span is delivered", 30)
    run.stop()
    messages = kafka.messages()
    assert sorted(paths(messages)) == sorted(r.target for r in wanted)
    assert max(map(len, messages)) <= 30000


def test_tls_and_sasl(server, sonde, started, work):
    """By librdkafka's properties; a wrong password is named, not shown, and nothing is dropped for it."""
    authority, certificate, key = tls.files()
    pem = os.path.join(work, "broker.pem")
    with open(pem, "w", encoding="utf-8") as file:
        for path in (key, certificate):
            with open(path, encoding="utf-8") as part:
                file.write(part.read())
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    kafka = started(Kafka(work, "SASL_SSL", more=f"""
ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={module} username="broker" password="b" user_broker="b" user_sonde="right-one";
"""))
    client = os.path.join(work, "client.properties")
    with open(client, "w", encoding="utf-8") as file:
        file.write(f"""
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.mechanism=PLAIN
sasl.jaas.config={module} username="broker" password="b";
""")

    def settings(password):
        return with_file(work, f"""{{brokers: ["{kafka.address}"], topic: secure, properties: {{
          security.protocol: sasl_ssl, ssl.ca.location: {authority}, sasl.mechanism: PLAIN, sasl.username: sonde,
          sasl.password: {password}}}}}""")

    run = sonde(*servers.selectors(server), *settings("wrong-one"), "--shutdown-timeout", "1s", exports=[])
    load.run(server.address, requests("wrong", 1))
    wait_until(lambda: "retrying" in run.process.stderr(), "the refusal is in the log", 30)
    run.stop()
    assert re.search(r"exporter kafka: topic secure: .*[Aa]uthentication", run.process.stderr()), run.process.stderr()
    assert "wrong-one" not in run.process.stderr()
    run = sonde(*servers.selectors(server), *settings("right-one"), exports=[])
    wanted = requests("secure")
    load.run(server.address, wanted)
    wait_until(lambda: exported(run) == COUNT, "every span is delivered", 30)
    run.stop()
    assert sorted(paths(kafka.messages("secure", client))) == sorted(r.target for r in wanted)
